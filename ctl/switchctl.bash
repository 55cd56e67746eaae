# SPDX-License-Identifier: BSD-2-Clause
# Bash completion of switchctl. The words come from switchctl itself, which reads them off its grammar, so that this
# file knows no command and is never behind.
_switchctl() {
	local cur words i connection=() line=()
	local options="--run-dir --connect --cert --key --ca --json --help --version"

	# COMP_WORDBREAKS splits tls:HOST:PORT and MAC addresses at their colons.
	if declare -F _get_comp_words_by_ref >/dev/null; then
		_get_comp_words_by_ref -n : -c cur -w words
	else
		cur=${COMP_WORDS[COMP_CWORD]}
		words=("${COMP_WORDS[@]:0:COMP_CWORD+1}")
	fi
	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		case ${words[i]} in
		--run-dir | --connect | --cert | --key | --ca)
			connection+=("${words[i]}" "${words[i + 1]}")
			((i++))
			;;
		--json | --help | --version) ;;
		*) line+=("${words[i]}") ;;
		esac
	done
	case ${words[${#words[@]} - 2]} in
	--cert | --key | --ca) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--run-dir) mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
	--connect) mapfile -t COMPREPLY < <(compgen -W "tls:" -- "$cur"); return ;;
	esac
	if [[ $cur == -* && ${#line[@]} -eq 0 ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		return
	fi
	mapfile -t COMPREPLY < <("${words[0]}" "${connection[@]}" --complete "${line[@]}" "$cur" 2>/dev/null)
	case ${COMPREPLY[0]} in
	@file) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	@dir) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	esac
	if declare -F __ltrim_colon_completions >/dev/null; then
		__ltrim_colon_completions "$cur"
	fi
}
complete -F _switchctl switchctl
