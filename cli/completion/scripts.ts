// What `tillwatch completion SHELL` prints: as little shell as possible. Each script hands the words before
// the cursor to `tillwatch __complete`, which knows the verbs of the very version that is installed and
// asks the broker for names; so a script that somebody saved years ago does not go stale.
// A line of the answer is `word TAB what it is`; the line `:files` asks the shell for file names.

/** Also splits at `=`, as bash itself does (COMP_WORDBREAKS); the answer knows. */
const bash = `# tillwatch completion for bash: eval "$(tillwatch completion bash)"
_tillwatch() {
  local word _ current="\${COMP_WORDS[COMP_CWORD]}" program="\${COMP_WORDS[0]/#\\~/$HOME}"
  COMPREPLY=()
  [ "$current" = "=" ] && current=""
  while IFS=$'\\t' read -r word _; do
    if [ "$word" = ":files" ]; then
      # What bash does for files by itself knows blanks and ~; older ones only list them.
      compopt -o default 2> /dev/null && return
      while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$current")
    elif [[ "$word" == "$current"* ]]; then
      COMPREPLY+=("$word")
    fi
  done < <("$program" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2> /dev/null)
}
complete -F _tillwatch tillwatch
`;

const zsh = `#compdef tillwatch
# tillwatch completion for zsh: eval "$(tillwatch completion zsh)", after compinit
_tillwatch() {
  local line
  local -a found
  for line in "\${(@f)$("\${(Q)words[1]/#\\~/$HOME}" __complete "\${(@Q)words[2,CURRENT]}" 2> /dev/null)}"; do
    if [[ "$line" == ":files" ]]; then
      _files
    elif [[ -n "$line" ]]; then
      found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
    fi
  done
  (( \${#found} )) && _describe -t tillwatch tillwatch found
}
if [[ "\${funcstack[1]}" == "_tillwatch" ]]; then _tillwatch "$@"; else compdef _tillwatch tillwatch; fi
`;

const fish = `# tillwatch completion for fish: tillwatch completion fish | source
function __tillwatch_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  test (count $current) -eq 0; and set current ''
  for line in (command $words[1] __complete $words[2..-1] "$current" 2> /dev/null)
    if test "$line" = ':files'
      __fish_complete_path "$current"
    else
      echo $line
    end
  end
end
complete -c tillwatch -f -a '(__tillwatch_complete)'
`;

export const SCRIPTS: Readonly<Record<string, string>> = { bash, zsh, fish };
export const SHELLS: readonly string[] = Object.keys(SCRIPTS);

/** What a person types once. */
export const SET_UP: Readonly<Record<string, string>> = {
  bash: 'tillwatch completion bash >> ~/.bashrc',
  zsh: 'tillwatch completion zsh > "$fpath[1]/_tillwatch"',
  fish: 'tillwatch completion fish > ~/.config/fish/completions/tillwatch.fish',
};
