# The manual.
#
#   make manual               its pages, from the header, which is made before
#   make html                 the manual as HTML, into build/html

MANDOC ?= mandoc

.PHONY: manual html
manual: header
	$(source)/man/generate

# Links to pages of other projects go to the place where Linux's manual is published.
html:
	mkdir -p $(build)/html
	cd $(build)/html && touch $(addsuffix .html,$(pages3) $(pages7)) && for page in $(pages3) $(pages7); do \
	    $(MANDOC) -T html -O 'toc,man=%N.%S.html;https://man7.org/linux/man-pages/man%S/%N.%S.html' \
	        $(call absolute,$(source))/man/$$page > $$page.html || exit; done
	ln -sf libsock.7.html $(build)/html/index.html
