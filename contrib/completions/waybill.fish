# fish completion for waybill(1). Commands and options are what the program's own
# help says, so nothing here grows old.

function __waybill_commands
    waybill --help 2>/dev/null | string replace -rf '^  ([a-z][a-z-]*) +(.*)$' '$1\t$2'
end

function __waybill_options
    set -l words (commandline -opc)
    if test (count $words) -gt 1
        waybill $words[2] --help 2>/dev/null | string match -ra -- '--[a-z][a-z-]*'
    else
        echo --version
    end
    echo --help
end

function __waybill_before
    set -l words (commandline -opc)
    contains -- $words[-1] $argv
end

complete -c waybill -n __fish_use_subcommand -f -a '(__waybill_commands)'
complete -c waybill -n 'string match -q -- "-*" (commandline -ct)' -f -a '(__waybill_options)'
complete -c waybill -n '__fish_seen_subcommand_from return-path' -f -a 'encode decode verify rotate'
complete -c waybill -n '__fish_seen_subcommand_from presets; and not __waybill_before -c --config' \
    -f -a '(waybill presets 2>/dev/null | string replace -r " .*" "")'
