# bash completion for waybill(1). Commands and options are what the program's
# own help says, so nothing here grows old.

_waybill_commands() {
    "$1" --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p'
}

_waybill_options() {
    "$1" "$2" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]*' | sort -u
    echo --help
}

_waybill() {
    local program=${COMP_WORDS[0]} command=${COMP_WORDS[1]}
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local choices=

    COMPREPLY=()
    case $before in
    -c | --config | --message | --log | --socket)
        return # files, by default
        ;;
    --out | --mta-config)
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        return
        ;;
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then
        choices="$(_waybill_commands "$program") --help --version"
    elif [[ $word == -* ]]; then
        choices=$(_waybill_options "$program" "$command")
    elif [ "$command" = return-path ]; then
        choices="encode decode verify rotate"
    elif [ "$command" = presets ]; then
        choices=$("$program" presets 2>/dev/null | sed 's/ .*//')
    fi
    [ -z "$choices" ] || mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
}

complete -o default -F _waybill waybill
