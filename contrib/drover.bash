# Completion of drover's commands and options in bash. drover itself knows them:
# `drover --complete WORD..` prints what the last word could become.
_drover()
{
    local words=() word glue='' before current previous=${COMP_WORDS[COMP_CWORD - 1]}

    # To bash a colon is a word of its own: queue:retry is three.
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        if [[ ($word == : || $glue) && ${#words[@]} -gt 0 ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
        [[ $word == : ]] && glue=1 || glue=''
    done
    current=${words[-1]-}
    before=${current%"${current##*:}"}
    if [ "$previous" = -c ]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    else
        mapfile -t COMPREPLY < <("$1" --complete "${words[@]}" 2>/dev/null)
        COMPREPLY=("${COMPREPLY[@]#"$before"}")
    fi
}
complete -F _drover drover
