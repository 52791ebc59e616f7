# bash completion for bulkhead; made by `bulkhead help --completion` from the
# program's own table of options. Do not edit.

_bulkhead_words() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
	[[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace 2>/dev/null
}

_bulkhead_files() {
	mapfile -t COMPREPLY < <(compgen -W "$2" -- "$cur"; compgen "$1" -- "$cur")
	compopt -o filenames 2>/dev/null
}

_bulkhead() {
	local cur prev word with_arg='' names='' i

	COMPREPLY=()
	cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	# Bash takes --name=value apart at the '='.
	if [[ $cur == = ]]; then
		cur=''
	elif [[ $prev == = ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	if ((COMP_CWORD == 1)); then
		_bulkhead_words 'run ps stop limit net compare doctor device help --help --version'
		return
	fi
	case ${COMP_WORDS[1]}:$prev in
	run:--isolation) _bulkhead_words 'vm process none'; return ;;
	run:--rootfs) _bulkhead_files -f ''; return ;;
	run:--kernel) _bulkhead_files -f ''; return ;;
	run:--initrd) _bulkhead_files -f ''; return ;;
	run:--cmdline) return ;;
	run:--vhost-user) _bulkhead_files -f 'blk: net: rng:'; return ;;
	run:--cpus) return ;;
	run:--memory) return ;;
	run:--hugepages) _bulkhead_words 'auto thp hugetlb off'; return ;;
	run:--disk) _bulkhead_files -f ''; return ;;
	run:--net) _bulkhead_words 'bridge= tap= fd= netns= none'; return ;;
	run:--allow) return ;;
	run:--deny) return ;;
	run:--env) return ;;
	run:--workdir) return ;;
	run:--timeout) return ;;
	run:--console) _bulkhead_files -f 'stdio none'; return ;;
	run:--name) return ;;
	run:--report) _bulkhead_files -f ''; return ;;
	run:--on-device-loss) _bulkhead_words 'stop continue'; return ;;
	run:--seccomp) _bulkhead_words 'on off'; return ;;
	run:--seccomp-profile) _bulkhead_files -f ''; return ;;
	run:--cap-add) return ;;
	run:--cpu-weight) return ;;
	run:--pids) return ;;
	run:--disk-bps) return ;;
	run:--disk-iops) return ;;
	run:--net-bps) return ;;
	limit:--cpus) return ;;
	limit:--cpu-weight) return ;;
	limit:--memory) return ;;
	limit:--pids) return ;;
	limit:--disk-bps) return ;;
	limit:--disk-iops) return ;;
	limit:--net-bps) return ;;
	net:--allow) return ;;
	net:--deny) return ;;
	compare:--suite) _bulkhead_words 'quick full'; return ;;
	compare:--walls) _bulkhead_words 'none process vm crun runc bwrap qemu'; return ;;
	compare:--runs) return ;;
	compare:--rootfs) _bulkhead_files -d ''; return ;;
	compare:--seed) return ;;
	compare:--json) _bulkhead_files -f ''; return ;;
	compare:--html) _bulkhead_files -f ''; return ;;
	device:--socket) _bulkhead_files -f ''; return ;;
	device:--disk) _bulkhead_files -f ''; return ;;
	device:--net) _bulkhead_words 'tap= fd='; return ;;
	device:--seccomp) _bulkhead_words 'on off'; return ;;
	help:help) _bulkhead_words 'run ps stop limit net compare doctor device help '; return ;;
	esac
	case ${COMP_WORDS[1]} in
	run)
		names=' --isolation --rootfs --kernel --initrd --cmdline --vhost-user --cpus --memory --hugepages --disk --net --allow --deny --env --workdir --timeout --console --name --report --on-device-loss --seccomp --seccomp-profile --cap-add --cpu-weight --pids --disk-bps --disk-iops --net-bps --best-effort --verbose'
		with_arg=' --isolation --rootfs --kernel --initrd --cmdline --vhost-user --cpus --memory --hugepages --disk --net --allow --deny --env --workdir --timeout --console --name --report --on-device-loss --seccomp --seccomp-profile --cap-add --cpu-weight --pids --disk-bps --disk-iops --net-bps'
		;;
	ps)
		names=' --json'
		with_arg=''
		;;
	stop)
		names=''
		with_arg=''
		;;
	limit)
		names=' --cpus --cpu-weight --memory --pids --disk-bps --disk-iops --net-bps --json'
		with_arg=' --cpus --cpu-weight --memory --pids --disk-bps --disk-iops --net-bps'
		;;
	net)
		names=' --allow --deny --json'
		with_arg=' --allow --deny'
		;;
	compare)
		names=' --suite --walls --runs --rootfs --seed --json --html'
		with_arg=' --suite --walls --runs --rootfs --seed --json --html'
		;;
	doctor)
		names=' --json --verbose'
		with_arg=''
		;;
	device)
		names=' --socket --disk --net --seccomp --verbose'
		with_arg=' --socket --disk --net --seccomp'
		;;
	help)
		names=''
		with_arg=''
		;;
	*) return ;;
	esac
	# Behind the first operand nothing is ours to complete.
	for ((i = 2; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--) return ;;
		--*)
			if [[ ${COMP_WORDS[i + 1]} == = ]]; then
				((i += 2))
			elif [[ "$with_arg " == *" $word "* ]]; then
				((i += 1))
			fi
			;;
		*) return ;;
		esac
	done
	_bulkhead_words "$names --help"
}
complete -F _bulkhead bulkhead
