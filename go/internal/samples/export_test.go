package samples

var Advance = advance
