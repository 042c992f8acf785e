# The rules of the house that can be read line by line. Prints FILE:LINE: what is wrong.
# Paths are FOLDER/FILE, relative to the top of the sources.

BEGIN {
    # What a folder may include besides its own. "*": all.
    allowed["base"] = ""
    allowed["config"] = "base/"
    allowed["pg"] = "base/ config/"
    allowed["jobs"] = "base/ config/ pg/"
    allowed["queue"] = "base/ config/ jobs/payload.h"
    allowed["failed"] = "base/ config/ pg/ queue/ jobs/payload.h"
    allowed["status"] = "base/ config/ queue/ failed/"
    allowed["worker"] = "base/ config/ pg/ jobs/ queue/ failed/"
    allowed["supervisor"] = "base/ config/"
    allowed["console"] = "base/ config/ status/"
    allowed["cli"] = "*"
    allowed["bench"] = "*"
    allowed["tests"] = "*"
    # Libraries that one folder alone speaks to; tests and benchmarks are users of theirs.
    owner["hiredis"] = "queue"
    owner["libpq-fe.h"] = "pg"
    # No bounds or no errors; a shell or unchecked numbers are for tests at most.
    unsafe = call_of("strcpy|stpcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|alloca")
    product_unsafe = call_of("atol|atoll|atof|system|popen")
    file_lines_max = 600
    function_lines_max = 80
}

function call_of(names) {
    return "(^|[^A-Za-z0-9_])(" names ")[ \t]*\\("
}

function complain(what) {
    print FILENAME ":" FNR ": " what
}

# The line without comments, and without what is in quotes.
function strip(line,    out, at, token) {
    out = ""
    while (line != "") {
        if (in_comment) {
            at = index(line, "*/")
            if (at == 0)
                return out
            line = substr(line, at + 2)
            in_comment = 0
            continue
        }
        if (!match(line, /"|'|\/\*|\/\//))
            return out line
        token = substr(line, RSTART, RLENGTH)
        out = out substr(line, 1, RSTART - 1)
        line = substr(line, RSTART)
        if (token == "/*") {
            in_comment = 1
            line = substr(line, 3)
        } else if (token == "//") {
            return out
        } else if (match(line, /^"([^"\\]|\\.)*"/) || match(line, /^'([^'\\]|\\.)*'/)) {
            out = out token token
            line = substr(line, RLENGTH + 1)
        } else {
            return out
        }
    }
    return out
}

function check_own_include(path,    rules, ct, i) {
    if (path == "config.h" || index(path, folder "/") == 1 || allowed[folder] == "*")
        return
    ct = split(allowed[folder], rules, " ")
    for (i = 1; i <= ct; i++)
        if (index(path, rules[i]) == 1)
            return
    complain(folder "/ may not include " path)
}

function check_library_include(path,    library) {
    for (library in owner)
        if (index(path, library) == 1 && folder != owner[library] && !is_test)
            complain("only " owner[library] "/ may include <" path ">")
}

function check_include(    path) {
    path = $0
    sub(/^#[ \t]*include[ \t]*["<]/, "", path)
    sub(/[">].*$/, "", path)
    if ($0 ~ /include[ \t]*"/)
        check_own_include(path)
    else
        check_library_include(path)
}

FNR == 1 {
    folder = FILENAME
    sub(/\/.*/, "", folder)
    in_comment = 0
    start = 0
    is_c = FILENAME ~ /\.c$/
    is_source = FILENAME ~ /\.[ch]$/
    is_test = folder == "tests" || folder == "bench"
    if (is_source && !(folder in allowed))
        complain("no include rule for " folder "/")
    if (is_source && $0 !~ /^\/\*/)
        complain("a comment that says what the file is for is missing")
}

FNR == file_lines_max + 1 {
    complain("more than " file_lines_max " lines")
}

is_source {
    if (!in_comment && $0 ~ /^#[ \t]*include/)
        check_include()
    code = strip($0)
    if (code ~ unsafe || (!is_test && code ~ product_unsafe))
        complain("a call that is not allowed here")
    if (folder == "tests" && code ~ /(^|[^A-Za-z0-9_])sleep[ \t]*\(/)
        complain("a test waits for a condition, not for time")
    if (is_c && code ~ /^\{/)
        start = FNR
    if (is_c && code ~ /^\}/ && start) {
        if (FNR - start + 1 > function_lines_max)
            complain("a function of more than " function_lines_max " lines")
        start = 0
    }
}
