# Reads the table `mechanisms`:
#   awk -f mechanisms.awk -v list=STAGE mechanisms                 the names of those in stage 4 or 5
#   awk -f mechanisms.awk -v want=NAME mechanisms FILE...          takes it out of a copy of a stage: writes the
#                                                                  files anew; fails if a text does not stand once
#   awk -f mechanisms.awk -v lines=NAME mechanisms FILE...         the lines that it costs

function count(text, part,    times, place) {
    while ((place = index(text, part)) != 0) {
        times++
        text = substr(text, place + length(part))
    }
    return times + 0
}

function finish_pair() {
    if (old != "") {
        pairs++
        before[pairs] = substr(old, 2)
        after[pairs] = substr(new, 2)
    }
    old = new = ""
}

FILENAME == ARGV[1] && /^#/ { next }
FILENAME == ARGV[1] && /^$/ { finish_pair(); mechanism = ""; next }
FILENAME == ARGV[1] && /^[a-z]/ {
    mechanism = $0
    names[++total] = $0
    next
}
FILENAME == ARGV[1] && $1 == "only" && /^ / { only[mechanism] = $2; next }
FILENAME == ARGV[1] && $1 == "functions" && /^ / { if (mechanism == lines) functions = $0 " "; next }
FILENAME == ARGV[1] {
    if (mechanism != want)
        next
    if (/^-/ && new != "")
        finish_pair()
    if (/^-/)
        old = old "\n" substr($0, 2)
    else
        new = new "\n" substr($0, 2)
    next
}

FNR == 1 { comment = 0; inside = 0 }
{ text[FILENAME] = text[FILENAME] $0 "\n" }
/^\/\// { comment++ }
!/^\/\// && !inside && /^static / {
    name = $0
    sub(/\(.*/, "", name)
    sub(/.*[ *]/, "", name)
    inside = 1
    cost = comment
}
inside { cost++ }
inside && /^}/ {
    inside = 0
    if (index(functions, " " name " "))
        sum += cost
}
!/^\/\// && !inside { comment = 0 }

END {
    finish_pair()
    if (list != "")
        for (i = 1; i <= total; i++)
            if (!(names[i] in only) || only[names[i]] == list)
                print names[i]
    if (lines != "")
        print sum + 0
    for (i = 1; i <= pairs; i++) {
        found = 0
        for (file in text)
            if (count(text[file], before[i]) == 1) {
                place = index(text[file], before[i])
                text[file] = substr(text[file], 1, place - 1) after[i] substr(text[file], place + length(before[i]))
                found++
            }
        if (found != 1) {
            printf "mechanisms: %s: stands in %d files, not in one: %s\n", want, found, before[i] > "/dev/stderr"
            exit 1
        }
    }
    for (file in text)
        if (want != "")
            printf "%s", text[file] > file
}
