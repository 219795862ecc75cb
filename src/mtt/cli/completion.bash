# Completion of the mtt command in bash: source "$(mtt --shell-completion)"
_mtt_completion() {
    local kind word
    COMPREPLY=()
    # mtt itself says what may come next, as lines of kind,word
    while IFS=, read -r kind word; do
        case $kind in
            plain) COMPREPLY+=("$word") ;;
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
        esac
    done < <(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _MTT_COMPLETE=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F _mtt_completion mtt
