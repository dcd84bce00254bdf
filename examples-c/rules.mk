# The main job, on real sockets: the three modes, and a client with a timeout.
demo: all
	@$(source)/examples-c/demo.sh $(build)/examples-c
