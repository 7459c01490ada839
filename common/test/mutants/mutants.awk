# Reads the tables of mutants (README.md describes them) and does one of two things:
#
#   awk -f mutants.awk -v mode=check -v stages_in=DIRECTORY TABLE...
#       checks all of them, and prints a line for each: its name, the row said to kill it (or -), stages
#   awk -f mutants.awk -v mode=plant -v stages_in=DIRECTORY -v want=NAME -v stage=N -v into=COPY TABLE...
#       plants that mutant into COPY, which is one of stage N
#
# DIRECTORY holds the stages: stage1, stage2, ...

function complain(problem) {
    printf "%s:%d: %s: %s\n", FILENAME, FNR, name == "" ? "no name" : name, problem > "/dev/stderr"
    failed = 1
}

# The whole file behind a line feed: each of its lines begins after one. A room that a stage does not
# have holds nothing.
function contents(path,    line, text) {
    text = "\n"
    while ((getline line < path) > 0)
        text = text line "\n"
    close(path)
    return text
}

# The file that a table is about: allocator.c, or the header of the table's name.
function room_of(table) {
    sub(/.*\//, "", table)
    sub(/\.mutants$/, "", table)
    return table (table == "allocator" ? ".c" : ".h")
}

function count(text, part,    times, place) {
    while ((place = index(text, part)) != 0) {
        times++
        text = substr(text, place + length(part) - 1) # the line feed may begin another
    }
    return times + 0
}

# The text stands exactly once in every stage that is named, and in no other.
function check_stages(    n, times) {
    for (n = 1; n <= 5; n++) {
        times = count(source[n], "\n" old)
        if (index(stages, " " n) && times != 1)
            complain("its text stands " times " times in " room " of stage " n ", not once")
        if (!index(stages, " " n) && !index(exceptions, " " n) && times > 0)
            complain("its text stands in " room " of stage " n " too: name it under stages or except")
        if (index(exceptions, " " n) && times == 0)
            complain("its text is not in " room " of stage " n ", which it excepts")
    }
}

function check_mutant() {
    if (name in seen)
        complain("a second mutant of this name")
    seen[name] = 1
    if (name !~ /^[a-z0-9_]+$/)
        complain("a name is made of a-z, 0-9 and _")
    if (stages == "" || why == "" || old == "" || old == new)
        complain("it needs stages, why, and a change")
    check_stages()
    print name, row, stages
}

function plant(    place) {
    place = index(source[stage], "\n" old)
    if (place == 0) {
        complain("its text is not in " room " of stage " stage)
        return
    }
    planted = 1
    printf "%s%s%s", substr(source[stage], 2, place - 1), new,
        substr(source[stage], place + 1 + length(old)) > (into "/" room)
}

function finish() {
    if (name != "" && mode == "check")
        check_mutant()
    if (name != "" && mode == "plant" && name == want)
        plant()
    name = stages = exceptions = why = old = new = ""
    row = "-"
}

BEGIN { row = "-" }

FNR == 1 {
    finish()
    room = room_of(FILENAME)
    for (n = 1; n <= 5; n++)
        source[n] = contents(stages_in "/stage" n "/" room)
}
/^#/ { next }
/^$/ { finish(); next }
/^ / { old = old substr($0, 2) "\n"; new = new substr($0, 2) "\n"; next }
/^-/ { old = old substr($0, 2) "\n"; next }
/^[+]/ { new = new substr($0, 2) "\n"; next }
$1 == "mutant" && NF == 2 { finish(); name = $2; next }
$1 == "stages" && /^stages( [1-5])+$/ { stages = substr($0, 7); next }
$1 == "except" && /^except( [1-5])+ [^1-5]/ {
    for (i = 2; $i ~ /^[1-5]$/; i++)
        exceptions = exceptions " " $i
    next
}
$1 == "killer" && NF == 2 { row = $2; next }
$1 == "why" && NF > 1 { why = $0; next }
{ complain("not a line of a mutant: " $0) }

END {
    finish()
    if (mode == "plant" && !planted && !failed) {
        printf "no mutant is named %s\n", want > "/dev/stderr"
        failed = 1
    }
    exit failed
}
