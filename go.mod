module github.com/hardmls/hardmls

go 1.26
