# The main job, on real sockets: the three modes, a deadline, a cancel, and lines.
demo: all
	@$(source)/examples-c/demo.sh $(build)/examples-c
