# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for memtrace; _command_offset, from the bash-completion package, completes the
# arguments of a command.

# Processes that have a command line, so no kernel threads.  A number completes to pids, a word
# to the pid of the one process whose name begins with it.  Names are added only where bash
# prints a list, since otherwise it would insert them.
_memtrace_pids()
{
	local word=$1 folder pid name label=

	[[ $COMP_TYPE == 33 || $COMP_TYPE == 63 || $COMP_TYPE == 64 ]] && label=1
	for folder in /proc/[0-9]*; do
		pid=${folder#/proc/}
		{ IFS= read -r -d '' _ <"$folder/cmdline" &&
			IFS= read -r name <"$folder/comm"; } 2>/dev/null || continue
		name=${name//[^[:print:]]/?}
		if [[ $pid == "$word"* || -n $word && $name == "$word"* ]]; then
			COMPREPLY+=("$pid${label:+ ($name)}")
		fi
	done
	if ((${#COMPREPLY[@]} == 1)); then
		COMPREPLY=("${COMPREPLY[0]%% *}")
	elif [[ $word == *[!0-9]* && -z $label ]]; then
		COMPREPLY=()	# the digits that the pids share would replace the name
	fi
}

_memtrace_words()
{
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_memtrace_paths()	# -f files, -d folders, -c commands
{
	compopt -o filenames 2>/dev/null
	mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

_memtrace_format()
{
	if [[ $1 != *:* ]]; then
		_memtrace_words 'text json folded mtrace' "$1"
		return
	fi
	_memtrace_paths -f "${1#*:}"
	[[ $COMP_WORDBREAKS == *:* ]] || COMPREPLY=("${COMPREPLY[@]/#/${1%%:*}:}")
}

_memtrace_value()	# option, what is typed of its value
{
	case $1 in
	-p | --pid) _memtrace_pids "$2" ;;
	-o | --output | -c | --config | --log-file | --resolve) _memtrace_paths -f "$2" ;;
	--debug-dir) _memtrace_paths -d "$2" ;;
	--format) _memtrace_format "$2" ;;
	--engine) _memtrace_words 'auto jump break' "$2" ;;
	--sample) _memtrace_words '64K 512K 4M' "$2" ;;
	--overhead) _memtrace_words '5 10 20' "$2" ;;
	--keep-stacktraces) _memtrace_words 'alloc alloc-and-free' "$2" ;;
	--leak-check) _memtrace_words 'no summary full' "$2" ;;
	--show-leak-kinds | --errors-for-leak-kinds)
		_memtrace_words 'definite possible indirect reachable all none' "$2" ;;
	--leak-check-heuristics)
		_memtrace_words 'all none stdstring length64 newarray multipleinheritance' "$2" ;;
	--unwinder) _memtrace_words 'rules libunwind' "$2" ;;
	esac
}

_memtrace_options()
{
	_memtrace_words '--pid --duration --output --format --log --log-file --follow-forks --top
		--stack-depth --keep-stacktraces --config --engine --sample --overhead --alloc --free
		--scan --leak-check --show-leak-kinds --leak-check-heuristics
		--error-exitcode --errors-for-leak-kinds
		--unwinder --debug-dir --resolve --stats --quiet --verbose --help --version
		-p -d -o -l -f -n -k -c -q -v -h -V' "$1"
}

_memtrace_command()	# place of its first word
{
	if (($1 == COMP_CWORD)); then
		_memtrace_paths -c "${COMP_WORDS[COMP_CWORD]}"
	elif declare -F _command_offset >/dev/null; then
		_command_offset "$1"
	else
		_memtrace_paths -f "${COMP_WORDS[COMP_CWORD]}"
	fi
}

# The option whose value is the next word; in a word of short ones only the last may want it.
_memtrace_wants_value()
{
	case $1 in
	--pid | --duration | --output | --format | --top | --stack-depth | --engine | --sample | \
	--overhead | --alloc | --free | --keep-stacktraces | --unwinder | --debug-dir | --config | \
	--log-file | --resolve | --leak-check | --show-leak-kinds | --leak-check-heuristics | \
	--error-exitcode | --errors-for-leak-kinds)
		option=$1
		;;
	--*)
		return 1
		;;
	*)
		[[ $1 =~ ^-[lfqvhV]*([pdonkc])$ ]] && option=-${BASH_REMATCH[1]}
		;;
	esac
}

# Takes the value of option from the words at i, to where it ends: bash splits words at = and :,
# so that --format=json:a is five of them.
_memtrace_take_value()
{
	i=$((i + 1))
	[[ $option == --* && ${COMP_WORDS[i]-} == = ]] && i=$((i + 1))
	value=${COMP_WORDS[i]-}
	if [[ ${COMP_WORDS[i + 1]-} == : ]]; then
		value+=:${COMP_WORDS[i + 2]-}
		i=$((i + 2))
	fi
}

_memtrace()
{
	local i option value has_pid=

	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		[[ ${COMP_WORDS[i]} == -?* ]] || break
		if [[ ${COMP_WORDS[i]} == -- ]]; then
			i=$((i + 1))
			break
		fi
		[[ ${COMP_WORDS[i]} == -p[0-9]* ]] && has_pid=1
		_memtrace_wants_value "${COMP_WORDS[i]}" || continue
		[[ $option == -p || $option == --pid ]] && has_pid=1
		_memtrace_take_value
		if ((i >= COMP_CWORD)); then
			_memtrace_value "$option" "$value"
			return
		fi
	done
	if [[ ${COMP_WORDS[i]} == -* && ${COMP_WORDS[i - 1]} != -- ]] && ((i == COMP_CWORD)); then
		_memtrace_options "${COMP_WORDS[i]}"
	elif [[ ! $has_pid ]]; then
		_memtrace_command "$i"
	fi
}

complete -F _memtrace memtrace
