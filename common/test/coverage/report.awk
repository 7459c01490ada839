# Sums up what gcov counted in one stage, and names each line that was not reached, wholly or in one of
# its branches, unless the list of reasons names it. Called by run: awk -v stage=4 -f report.awk LIST GCOV

function trimmed(text)
{
    gsub(/^[ \t]+|[ \t]+$/, "", text)
    return text
}

function settle()
{
    if (!missed)
        return
    if ((source, stage) in reason) {
        used[source] = 1
        listed++
        return
    }
    print "stage " stage ", " room ", line " number ": " missed ": " source
    unlisted++
}

{ in_list = FILENAME == ARGV[1] }

# The list: a line of source; below it, indented, stages and a reason.
in_list && (/^#/ || /^$/) { next }
in_list && /^[^ ]/ { source = trimmed($0); next }
in_list {
    split($0, part, ":")
    count = split(part[1], word, " ")
    for (i = 1; i <= count; i++)
        if (word[i] ~ /^[1-5]$/ && trimmed(substr($0, index($0, ":") + 1)) != "")
            reason[source, word[i]] = 1
    next
}

/^branch/ {
    branches++
    if (/taken 0|never executed/) {
        branches_missed++
        if (!missed)
            missed = "a branch is not taken"
    }
    next
}
/^(function|call|unconditional)/ { next }
{
    settle()
    missed = ""
    split($0, part, ":")
    number = trimmed(part[2])
    source = trimmed(substr($0, length(part[1]) + length(part[2]) + 3))
}
number == 0 && sub(/^Source:.*\//, "", source) { room = source }
/^ *#####:/ { missed = "not reached"; lines++; lines_missed++ }
/^ *[0-9]+\*?:/ { lines++ }

END {
    settle()
    if (lines == 0) {
        print "stage " stage ": nothing was counted"
        exit 1
    }
    printf "stage %d: %d of %d lines, %d of %d branches; %d lines listed with a reason\n", stage,
        lines - lines_missed, lines, branches - branches_missed, branches, listed
    exit unlisted > 0
}
