# From what observe prints (NAME, outcome, line) to cells of the table `expected`: name, cell, outcome and
# line, with tabs between them. Two different lines never become the same cell.

BEGIN {
    FS = OFS = "\t"
    word["double free"] = "double"
    word["already freed"] = "freed"
    word["overflow: the next header is overwritten"] = "overflow"
    word["overflow: the last block ran into unused memory"] = "unused"
    word["freed block overwritten"] = "late"
    word["the freed block before it is overwritten"] = "before"
    word["not from this heap"] = "foreign"
    word["no intact block starts here"] = "none"
}

# Whom the line is about, where the cell does not say it.
function usual_object(name) {
    return name ~ /^(free|realloc|usable-size)\./ ? "pointer" : "block"
}

function cell(name, outcome, line,    call, object, problem) {
    if (line == "")
        return outcome == "silent" ? "-" : outcome
    if (outcome != "named" || line !~ /^ma_[a-z_]+\([a-z]+\): /) {
        gsub(/[ \t]/, "_", line)
        return outcome ":" line
    }
    call = substr(line, 4, index(line, "(") - 4)
    object = substr(line, index(line, "(") + 1, index(line, ")") - index(line, "(") - 1)
    problem = substr(line, index(line, "): ") + 3)
    if (problem in word)
        problem = word[problem]
    gsub(/[ \t]/, "_", problem)
    return call ":" problem (object == usual_object(name) ? "" : "@" object)
}

{
    print $1, cell($1, $2, $3), $2, $3
}
