package check

// The checks, one constant per row.
const (
	V001 ID = 1
	V002 ID = 2
	V003 ID = 3
	V004 ID = 4
	V005 ID = 5
	V006 ID = 6
	V007 ID = 7
	V008 ID = 8
	V009 ID = 9
	V010 ID = 10
	V011 ID = 11
	V012 ID = 12
	V013 ID = 13
	V014 ID = 14
	V015 ID = 15
	V016 ID = 16
	V017 ID = 17
	V020 ID = 20
	V021 ID = 21
	V022 ID = 22
	V023 ID = 23
	V024 ID = 24
	V025 ID = 25
	V026 ID = 26
	V027 ID = 27
	V028 ID = 28
	V029 ID = 29
	V030 ID = 30
	V031 ID = 31
	V032 ID = 32
	V040 ID = 40
	V041 ID = 41
	V042 ID = 42
	V043 ID = 43
	V044 ID = 44
	V045 ID = 45
	V046 ID = 46
	V047 ID = 47
	V048 ID = 48
	V049 ID = 49
	V050 ID = 50
	V051 ID = 51
	V052 ID = 52
	V053 ID = 53
	V054 ID = 54
	V055 ID = 55
	V056 ID = 56
	V060 ID = 60
	V061 ID = 61
	V062 ID = 62
	V063 ID = 63
	V064 ID = 64
	V065 ID = 65
	V066 ID = 66
	V067 ID = 67
	V068 ID = 68
	V070 ID = 70
	V071 ID = 71
	V072 ID = 72
	V073 ID = 73
	V074 ID = 74
	V075 ID = 75
	V076 ID = 76
	V077 ID = 77
	V078 ID = 78
	V079 ID = 79
	V080 ID = 80
	V081 ID = 81
	V082 ID = 82
	V083 ID = 83
	V084 ID = 84
	V085 ID = 85
	V086 ID = 86
	V087 ID = 87
	V088 ID = 88
	V089 ID = 89
	V090 ID = 90
	V091 ID = 91
	V092 ID = 92
	V093 ID = 93
	V094 ID = 94
	V095 ID = 95
	V096 ID = 96
	V097 ID = 97
	V098 ID = 98
	V100 ID = 100
	V101 ID = 101
	V102 ID = 102
	V103 ID = 103
	V104 ID = 104
	V105 ID = 105
	V106 ID = 106
	V107 ID = 107
	V108 ID = 108
	V109 ID = 109
	V110 ID = 110
	V111 ID = 111
	V112 ID = 112
	V120 ID = 120
	V121 ID = 121
	V122 ID = 122
	V123 ID = 123
	V124 ID = 124
	V125 ID = 125
	V126 ID = 126
	V127 ID = 127
	V128 ID = 128
	V129 ID = 129
	V130 ID = 130
	V131 ID = 131
	V132 ID = 132
	V133 ID = 133
	V134 ID = 134
	V135 ID = 135
	V136 ID = 136
	V137 ID = 137
	V138 ID = 138
	V139 ID = 139
	V140 ID = 140
	V141 ID = 141
	V142 ID = 142
	V143 ID = 143
	V144 ID = 144
	V145 ID = 145
	V146 ID = 146
	V147 ID = 147
	V148 ID = 148
	V149 ID = 149
	V150 ID = 150
	V151 ID = 151
	V160 ID = 160
	V161 ID = 161
	V162 ID = 162
	V163 ID = 163
	V164 ID = 164
	V165 ID = 165
	V166 ID = 166
	V167 ID = 167
	V168 ID = 168
	V169 ID = 169
	V170 ID = 170
	V171 ID = 171
	V172 ID = 172
	V173 ID = 173
	V174 ID = 174
	V175 ID = 175
	V176 ID = 176
	V177 ID = 177
	V178 ID = 178
	V179 ID = 179
	V180 ID = 180
	V181 ID = 181
	V182 ID = 182
	V183 ID = 183
	V184 ID = 184
	V190 ID = 190
	V191 ID = 191
	V192 ID = 192
	V193 ID = 193
	V194 ID = 194
	V195 ID = 195
	V196 ID = 196
	V197 ID = 197
	V198 ID = 198
	V199 ID = 199
	V200 ID = 200
	V201 ID = 201
	V202 ID = 202
	V203 ID = 203
	V204 ID = 204
	V205 ID = 205
	V210 ID = 210
	V211 ID = 211
	V212 ID = 212
	V213 ID = 213
	V214 ID = 214
	V215 ID = 215
	V216 ID = 216
	V217 ID = 217
	V218 ID = 218
	V219 ID = 219
	V220 ID = 220
	V221 ID = 221
	V222 ID = 222
	V223 ID = 223
	V224 ID = 224
	V225 ID = 225
)

// table has one row per check: where RFC 9420 demands it, OpenMLS's name for
// it, and the class of error it fails with.
var table = map[ID]row{
	1:   {"2.1.1", "", ClassMalformed},
	2:   {"2.1.2", "", ClassMalformed},
	3:   {"2.1.2", "", ClassMalformed},
	4:   {"2.1.2", "", ClassMalformed},
	5:   {"6", "", ClassMalformed},
	6:   {"7.2/10/…", "", ClassMalformed},
	7:   {"6", "", ClassUnsupported},
	8:   {"6", "", ClassUnsupported},
	9:   {"6", "", ClassMalformed},
	10:  {"6", "", ClassMalformed},
	11:  {"5.1.1", "", ClassMalformed},
	12:  {"5.1.2", "ValSem010", ClassAuth},
	13:  {"4/7.8", "", ClassLimit},
	14:  {"7.1", "", ClassTree},
	15:  {"12.4.3.3", "valn1407", ClassTree},
	16:  {"12.4.3.3", "ValSem300", ClassTree},
	17:  {"", "", ClassMalformed},
	20:  {"13.4", "valn1601", ClassMalformed},
	21:  {"13.4", "", NoClass},
	22:  {"13.4", "", NoClass},
	23:  {"7.2", "", ClassLeaf},
	24:  {"7.2/7.3", "valn0107", ClassLeaf},
	25:  {"7.2", "valn0113", ClassLeaf},
	26:  {"11.1/7.3", "ValSem106 ValSem109 valn0103", ClassLeaf},
	27:  {"13.4", "valn0502 valn0602 valn1210", ClassLeaf},
	28:  {"13.4", "valn1415", ClassGroupInfo},
	29:  {"13.5", "", ClassUnsupported},
	30:  {"10", "valn1602-4", ClassMalformed},
	31:  {"13.2", "ValSem113 valn0311", ClassList},
	32:  {"5.3.3", "", NoClass},
	40:  {"5.3.1", "", ClassCredential},
	41:  {"5.3.1", "", ClassCredential},
	42:  {"5.3", "", ClassCredential},
	43:  {"5.1.2", "", ClassLeaf},
	44:  {"7.3", "valn0102 ValSem010", ClassAuth},
	45:  {"7.2", "", ClassAuth},
	46:  {"7.3", "valn0104", ClassLeaf},
	47:  {"7.3", "valn0105", ClassLeaf},
	48:  {"7.3", "valn0106", ClassLeaf},
	49:  {"7.2", "", ClassLeaf},
	50:  {"7.3", "valn0108", ClassLeaf},
	51:  {"7.3", "valn0109", ClassLeaf},
	52:  {"7.3/12.4.2", "valn0110/valn1207", ClassPath},
	53:  {"7.3", "ValSem110", ClassProposal},
	54:  {"7.3/16.7", "valn0111", ClassLeaf},
	55:  {"7.3/16.7", "valn0112 ValSem103", ClassLeaf},
	56:  {"5.3.2", "", NoClass},
	60:  {"10.1", "ValSem105 valn0201", ClassKeyPackage},
	61:  {"10.1", "valn0202", ClassKeyPackage},
	62:  {"10.1", "valn0203", ClassAuth},
	63:  {"10.1", "ValSem104 valn0204", ClassKeyPackage},
	64:  {"10", "valn0205", ClassKeyPackage},
	65:  {"10", "", ClassWelcome},
	66:  {"10", "", ClassKeyPackage},
	67:  {"13.4", "", NoClass},
	68:  {"11", "", ClassKeyPackage},
	70:  {"6", "ValSem002", ClassGroup},
	71:  {"12.1/12.4.2", "ValSem003 valn1201 valn1307", ClassEpoch},
	72:  {"6", "ValSem005", ClassWire},
	73:  {"6", "", ClassWire},
	74:  {"6.1", "ValSem010 valn1203 valn1301 valn1304", ClassAuth},
	75:  {"6.1", "valn1301 valn0407 valn1504", ClassSender},
	76:  {"6.1", "ValSem004 valn1306", ClassSender},
	77:  {"6.1", "valn1501 valn1502", ClassMalformed},
	78:  {"6.1/12.1.8", "", ClassSender},
	79:  {"6.1", "ValSem112 valn1503", ClassSender},
	80:  {"6.2", "ValSem007", ClassAuth},
	81:  {"6.2", "ValSem008 valn1302", ClassAuth},
	82:  {"6.1/8", "ValSem009", ClassMalformed},
	83:  {"6.2", "", ClassAuth},
	84:  {"6.3.1", "ValSem011 valn1303", ClassMalformed},
	85:  {"6.3.1", "ValSem006", ClassAuth},
	86:  {"6.3.2", "", ClassAuth},
	87:  {"6.3.2", "valn1306", ClassSender},
	88:  {"6.3.2", "valn1305", ClassState},
	89:  {"6.3.1", "", ClassProvider},
	90:  {"9.1", "", ClassProvider},
	91:  {"9.1", "", ClassRatchet},
	92:  {"9.2", "", ClassRatchet},
	93:  {"15.3", "", ClassRatchet},
	94:  {"9.2", "", ClassAuth},
	95:  {"9.2", "", NoClass},
	96:  {"6.3.1/15.2", "", ClassLimit},
	97:  {"6.3", "", ClassState},
	98:  {"16/arch", "", NoClass},
	100: {"12.1.1", "valn0501", ClassProposal},
	101: {"12.1.2", "ValSem112 valn0601", ClassProposal},
	102: {"12.1.3", "ValSem108 valn0701", ClassProposal},
	103: {"12.1.4", "ValSem401 valn0803", ClassPSK},
	104: {"12.1.4/11.2", "ValSem402 valn0801", ClassPSK},
	105: {"12.1.4/11.3", "ValSem402 valn0802", ClassPSK},
	106: {"12.1.5", "", ClassProposal},
	107: {"12.1.6", "valn0310", ClassList},
	108: {"12.1.7", "ValSem209 valn1001", ClassProposal},
	109: {"12.1.7", "ValSem209", ClassProposal},
	110: {"12.1.8", "", ClassProposal},
	111: {"12.1", "", ClassAuth},
	112: {"12.1", "", ClassLimit},
	120: {"7.8/12.4.3.1", "valn1405", ClassTree},
	121: {"7.1", "", ClassTree},
	122: {"7.9.2", "valn1406", ClassTree},
	123: {"7.9", "", ClassTree},
	124: {"12.4.3.1", "valn1408", ClassTree},
	125: {"12.4.3.1", "valn1409", ClassTree},
	126: {"12.4.3.1/16.7", "valn1410", ClassTree},
	127: {"12.4.3.1", "valn1407 valn0111-2", ClassTree},
	128: {"7.7", "", ClassAuth},
	129: {"7.6", "valn1101", ClassPath},
	130: {"12.2", "valn0301 valn1204", ClassList},
	131: {"12.2", "ValSem111 valn0302", ClassList},
	132: {"12.2", "ValSem200 valn0303", ClassList},
	133: {"12.2", "ValSem107 valn0304", ClassList},
	134: {"12.2", "ValSem101 ValSem102 valn0305", ClassList},
	135: {"12.2", "valn0306", ClassList},
	136: {"12.2", "ValSem403 valn0307", ClassList},
	137: {"12.2", "ValSem208 valn0308", ClassList},
	138: {"12.2", "", ClassList},
	139: {"12.2", "valn0310", ClassList},
	140: {"12.2", "", ClassList},
	141: {"12.2", "ValSem111", ClassList},
	142: {"12.2", "", ClassTree},
	143: {"12.3", "", ClassProposal},
	144: {"12.3", "", ClassAuth},
	145: {"12.4", "", ClassProposal},
	146: {"12.2 ext", "ValSem240-1 valn0401", ClassList},
	147: {"12.2 ext", "valn0402", ClassList},
	148: {"12.2 ext", "", ClassCredential},
	149: {"12.2 ext", "ValSem242 valn0404", ClassList},
	150: {"12.4.3.2", "ValSem244 valn0406", ClassList},
	151: {"12.2", "valn0307", ClassList},
	160: {"12.4", "ValSem201 valn1206", ClassPath},
	161: {"12.4.3.2", "ValSem245 valn0405", ClassPath},
	162: {"7.5/12.4.2", "valn1207 valn1210", ClassLeaf},
	163: {"12.4.2", "valn1208", ClassPath},
	164: {"12.4.2", "ValSem206-7 valn1209", ClassPath},
	165: {"7.6", "ValSem202 valn1101", ClassPath},
	166: {"7.6", "", ClassPath},
	167: {"7.5", "ValSem203", ClassPath},
	168: {"7.5/16.12", "ValSem204", ClassPath},
	169: {"7.9.2", "", ClassPath},
	170: {"7.9.2", "", ClassPath},
	171: {"12.4.2", "", ClassPath},
	172: {"12.4.2", "ValSem205", ClassAuth},
	173: {"12.4.2", "valn1205", ClassPSK},
	174: {"12.4.2", "", ClassAuth},
	175: {"12.4.2", "", ClassState},
	176: {"14/12.4.2", "", NoClass},
	177: {"14", "", ClassState},
	178: {"12.4", "", ClassState},
	179: {"12.4.2", "", ClassState},
	180: {"12.4.1", "", ClassWelcome},
	181: {"15.2", "", ClassState},
	182: {"12.4.3.2", "ValSem246 valn0407", ClassAuth},
	183: {"12.4.3.2", "", ClassPath},
	184: {"12.4.3.2", "", ClassGroupInfo},
	190: {"12.4.3.1", "", ClassWelcome},
	191: {"12.4.3.1", "", ClassAuth},
	192: {"12.4.3.1", "valn1401", ClassPSK},
	193: {"8.4", "valn0803", ClassPSK},
	194: {"12.4.3.1", "valn1402", ClassGroupInfo},
	195: {"12.4.3", "", ClassGroup},
	196: {"12.4.3.1", "valn1404", ClassGroupInfo},
	197: {"12.4.3.1", "valn1405-10", ClassTree},
	198: {"12.4.3.1", "", ClassWelcome},
	199: {"12.4.3.1", "", ClassPath},
	200: {"12.4.3.1", "valn1411", ClassAuth},
	201: {"11.2/12.4.3.1", "", ClassWelcome},
	202: {"11.3/12.4.3.1", "", ClassWelcome},
	203: {"12.4.3", "", ClassGroupInfo},
	204: {"12.4.3.1", "valn1415", ClassGroupInfo},
	205: {"12.4.3.2", "valn1405", ClassTree},
	210: {"8.4", "", ClassProvider},
	211: {"8.4", "", ClassPSK},
	212: {"8.6", "ValSem400", ClassLimit},
	213: {"9.2", "", NoClass},
	214: {"7.5", "", NoClass},
	215: {"12.4.2", "", NoClass},
	216: {"15.3", "", ClassLimit},
	217: {"14", "", NoClass},
	218: {"14", "", ClassState},
	219: {"5.1.3", "", ClassAuth},
	220: {"5.2", "", NoClass},
	221: {"8.5", "", ClassLimit},
	222: {"6/8.2", "", ClassAuth},
	223: {"16.12", "", ClassPath},
	224: {"", "", ClassProvider},
	225: {"", "", ClassProvider},
}
