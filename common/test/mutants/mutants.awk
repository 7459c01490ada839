# Reads the tables of mutants (README.md describes them) and does one of two things:
#
#   awk -f mutants.awk -v mode=check -v sources='1=stage1-bump/allocator.c 2=...' TABLE...
#       checks all of them, and prints a line for each: its name, the row said to kill it (or -), stages
#   awk -f mutants.awk -v mode=plant -v sources=... -v want=NAME -v stage=N TABLE...
#       prints stage N's allocator.c with that mutant planted

function complain(problem) {
    printf "%s:%d: %s: %s\n", FILENAME, FNR, name == "" ? "no name" : name, problem > "/dev/stderr"
    failed = 1
}

# The whole file behind a line feed: each of its lines begins after one.
function contents(path,    line, text, status) {
    text = "\n"
    while ((status = (getline line < path)) > 0)
        text = text line "\n"
    close(path)
    if (status < 0) {
        printf "%s: cannot be read\n", path > "/dev/stderr"
        exit failed = 1
    }
    return text
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
    for (n in source) {
        times = count(source[n], "\n" old)
        if (index(stages, " " n) && times != 1)
            complain("its text stands " times " times in stage " n ", not once")
        if (!index(stages, " " n) && !index(exceptions, " " n) && times > 0)
            complain("its text stands in stage " n " too: name it under stages or except")
        if (index(exceptions, " " n) && times == 0)
            complain("its text is not in stage " n ", which it excepts")
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
        complain("its text is not in stage " stage)
        return
    }
    planted = 1
    printf "%s%s%s", substr(source[stage], 2, place - 1), new,
        substr(source[stage], place + 1 + length(old))
}

function finish() {
    if (name != "" && mode == "check")
        check_mutant()
    if (name != "" && mode == "plant" && name == want)
        plant()
    name = stages = exceptions = why = old = new = ""
    row = "-"
}

BEGIN {
    row = "-"
    pairs = split(sources, pair, " ")
    for (i = 1; i <= pairs; i++)
        source[substr(pair[i], 1, 1)] = contents(substr(pair[i], 3))
}

/^#/ { next }
/^$/ { finish(); next }
/^ / { old = old substr($0, 2) "\n"; new = new substr($0, 2) "\n"; next }
/^-/ { old = old substr($0, 2) "\n"; next }
/^[+]/ { new = new substr($0, 2) "\n"; next }
$1 == "mutant" && NF == 2 { finish(); name = $2; next }
$1 == "stages" && /^stages( [1-5])+$/ { stages = substr($0, 7); next }
$1 == "except" && /^except [1-5] ./ { exceptions = exceptions " " $2; next }
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
