# Installing, and what distributions need.

MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/libsock
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
CMAKEDIR ?= $(LIBDIR)/cmake/libsock

libraries := $(notdir $(shared)) $(soname) libsock.so libsock.a
cmake_files := libsock-config.cmake libsock-config-version.cmake
pages3 := $(notdir $(wildcard $(source)/man/*.3))
pages7 := $(notdir $(wildcard $(source)/man/*.7))
licences := $(notdir $(wildcard $(source)/LICENSE*))

# Places are filled in as files are installed: they may be other ones than when the library was built.
fill = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
    -e 's|@CMAKEDIR@|$(CMAKEDIR)|' -e 's|@VERSION@|$(version)|' -e 's|@SONAME@|$(soname)|'

.PHONY: install uninstall

# A library that was built is installed as it is: the superuser may have no Cargo.
install: $(if $(and $(wildcard $(shared)),$(wildcard $(static))),,lib)
	$(INSTALL) -d $(addprefix $(DESTDIR),$(LIBDIR) $(INCLUDEDIR) $(PKGCONFIGDIR) $(CMAKEDIR) $(MANDIR)/man3 \
	    $(MANDIR)/man7 $(DOCDIR))
	$(INSTALL) -m 755 $(shared) $(DESTDIR)$(LIBDIR)
	ln -sf $(notdir $(shared)) $(DESTDIR)$(LIBDIR)/$(soname)
	ln -sf $(soname) $(DESTDIR)$(LIBDIR)/libsock.so
	$(INSTALL) -m 644 $(static) $(DESTDIR)$(LIBDIR)
	$(INSTALL) -m 644 $(source)/include/sock.h $(DESTDIR)$(INCLUDEDIR)
	$(fill) -e '/^prefix=/!s|=$(PREFIX)/|=$${prefix}/|' $(source)/packaging/libsock.pc.in \
	    > $(DESTDIR)$(PKGCONFIGDIR)/libsock.pc
	for file in $(cmake_files); do \
	    $(fill) $(source)/packaging/$$file.in > $(DESTDIR)$(CMAKEDIR)/$$file || exit; done
	chmod 644 $(DESTDIR)$(PKGCONFIGDIR)/libsock.pc $(addprefix $(DESTDIR)$(CMAKEDIR)/,$(cmake_files))
	$(INSTALL) -m 644 $(addprefix $(source)/man/,$(pages3)) $(DESTDIR)$(MANDIR)/man3
	$(INSTALL) -m 644 $(addprefix $(source)/man/,$(pages7)) $(DESTDIR)$(MANDIR)/man7
	$(INSTALL) -m 644 $(addprefix $(source)/,$(licences)) $(DESTDIR)$(DOCDIR)

uninstall:
	rm -f $(addprefix $(DESTDIR),$(addprefix $(LIBDIR)/,$(libraries)) $(INCLUDEDIR)/sock.h $(PKGCONFIGDIR)/libsock.pc \
	    $(addprefix $(CMAKEDIR)/,$(cmake_files)) $(addprefix $(MANDIR)/man3/,$(pages3)) \
	    $(addprefix $(MANDIR)/man7/,$(pages7)) $(addprefix $(DOCDIR)/,$(licences)))
	-rmdir $(DESTDIR)$(CMAKEDIR) $(DESTDIR)$(DOCDIR)

.PHONY: dist
dist:
	CARGO='$(CARGO)' $(source)/packaging/dist $(build)/dist

vendored := $(build)/dist/libsock-$(version)-vendored.tar.gz

.PHONY: deb rpm
deb: dist
	$(source)/packaging/deb $(vendored) $(build)/deb

rpm: dist
	$(source)/packaging/rpm $(vendored) $(build)/rpm
