# The manual as HTML. A page that is not libsock's own is linked to where Linux's manual is published.
#
#   make html                 the manual, into build/html

MANDOC ?= mandoc

.PHONY: html
html:
	mkdir -p $(build)/html
	cd $(build)/html && touch $(addsuffix .html,$(pages3) $(pages7)) && for page in $(pages3) $(pages7); do \
	    $(MANDOC) -T html -O 'toc,man=%N.%S.html;https://man7.org/linux/man-pages/man%S/%N.%S.html' \
	        $(call absolute,$(source))/man/$$page > $$page.html || exit; done
	ln -sf libsock.7.html $(build)/html/index.html
