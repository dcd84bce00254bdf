# Installing, and what distributions need.
#
#   make install              DESTDIR= PREFIX= LIBDIR= INCLUDEDIR= MANDIR= DOCDIR= PKGCONFIGDIR= CMAKEDIR=
#   make uninstall            with the same places
#   make dist                 the source as a tarball, and another one with its crates
#   make deb                  packages for Debian
#   make rpm                  packages for Fedora and others

MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/libsock
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
CMAKEDIR ?= $(LIBDIR)/cmake/libsock

libraries := $(notdir $(shared)) $(soname) libsock.so libsock.a
cmake_files := libsock-config.cmake libsock-config-version.cmake
pages3 := $(notdir $(wildcard $(source)/man/*.3))
pages7 := $(notdir $(wildcard $(source)/man/*.7))
licences := $(notdir $(wildcard $(source)/LICENSE*))

# The places are written into the files when these are installed: they may differ from those of the build.
fill = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
    -e 's|@CMAKEDIR@|$(CMAKEDIR)|' -e 's|@VERSION@|$(version)|' -e 's|@SONAME@|$(soname)|'
# The place of a file or a directory under DESTDIR, and the places of named files in a directory.
to = '$(DESTDIR)$1'
each_to = $(foreach name,$2,$(call to,$1/$(name)))

.PHONY: install uninstall

# A built library is installed as it is, without Cargo, which the superuser may not have.
install: $(if $(and $(wildcard $(shared)),$(wildcard $(static))),,lib)
	$(INSTALL) -d $(call to,$(LIBDIR)) $(call to,$(INCLUDEDIR)) $(call to,$(PKGCONFIGDIR)) $(call to,$(CMAKEDIR)) \
	    $(call to,$(MANDIR)/man3) $(call to,$(MANDIR)/man7) $(call to,$(DOCDIR))
	$(INSTALL) -m 755 $(shared) $(call to,$(LIBDIR))
	ln -sf $(notdir $(shared)) $(call to,$(LIBDIR)/$(soname))
	ln -sf $(soname) $(call to,$(LIBDIR)/libsock.so)
	$(INSTALL) -m 644 $(static) $(call to,$(LIBDIR))
	$(INSTALL) -m 644 $(source)/include/sock.h $(call to,$(INCLUDEDIR))
	$(fill) -e '/^prefix=/!s|=$(PREFIX)/|=$${prefix}/|' $(source)/packaging/libsock.pc.in \
	    > $(call to,$(PKGCONFIGDIR)/libsock.pc)
	for file in $(cmake_files); do \
	    $(fill) $(source)/packaging/$$file.in > $(call to,$(CMAKEDIR))/$$file || exit; done
	chmod 644 $(call to,$(PKGCONFIGDIR)/libsock.pc) $(call each_to,$(CMAKEDIR),$(cmake_files))
	$(INSTALL) -m 644 $(addprefix $(source)/man/,$(pages3)) $(call to,$(MANDIR)/man3)
	$(INSTALL) -m 644 $(addprefix $(source)/man/,$(pages7)) $(call to,$(MANDIR)/man7)
	$(INSTALL) -m 644 $(addprefix $(source)/,$(licences)) $(call to,$(DOCDIR))
	$(if $(DESTDIR),,@$(make_known))

# The dynamic linker finds a library by its cache, which only the superuser can write. Other users are told how to do without.
# If a place has unusual characters, the output of pkg-config is for eval.
compile = cc program.c \$$(PKG_CONFIG_PATH='$(PKGCONFIGDIR)' pkg-config --cflags --libs libsock) -Wl,-rpath,'$(LIBDIR)'
make_known = PATH=$$PATH:/usr/sbin:/sbin; \
    command -v ldconfig > /dev/null || exit 0; \
    [ "$$(id -u)" != 0 ] || ldconfig || exit 0; \
    ! ldconfig -p | grep -qF ' => $(LIBDIR)/$(soname)' || exit 0; \
    echo 'The dynamic linker does not look into $(LIBDIR). Programs find the library if they are compiled with'; \
    case '$(LIBDIR)$(INCLUDEDIR)' in \
        *[!-A-Za-z0-9/._+]*) printf '    eval "%s"\n' "$(compile)";; \
        *) printf '    %s\n' "$(compile)";; \
    esac

uninstall:
	rm -f $(call each_to,$(LIBDIR),$(libraries)) $(call to,$(INCLUDEDIR)/sock.h) $(call to,$(PKGCONFIGDIR)/libsock.pc) \
	    $(call each_to,$(CMAKEDIR),$(cmake_files)) $(call each_to,$(MANDIR)/man3,$(pages3)) \
	    $(call each_to,$(MANDIR)/man7,$(pages7)) $(call each_to,$(DOCDIR),$(licences))
	-rmdir $(call to,$(CMAKEDIR)) $(call to,$(DOCDIR))

.PHONY: dist
dist:
	CARGO='$(CARGO)' $(source)/packaging/dist $(build)/dist

vendored := $(build)/dist/libsock-$(version)-vendored.tar.gz

# dpkg-buildpackage and rpmbuild fail in a path with a space.
one_word = $(if $(word 2,$(built)),$(error packages cannot be built in $(built): name a path without a space, BUILD=DIRECTORY))

.PHONY: deb rpm
deb: dist
	$(one_word)$(source)/packaging/deb $(vendored) $(build)/deb

rpm: dist
	$(one_word)$(source)/packaging/rpm $(vendored) $(build)/rpm
