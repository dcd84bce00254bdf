# Paths: how they are quoted, and what is refused, before anything is done. A shell, make, pkg-config or CMake would take
# the rest for something else than a path.

comma := ,
tab := $(subst .,	,.)
define newline


endef

quote = '$(subst ','\'',$1)'
absolute = $(call quote,$(if $(filter /%,$1),$1,$(CURDIR)/$1))

places := DESTDIR PREFIX LIBDIR INCLUDEDIR MANDIR DOCDIR PKGCONFIGDIR CMAKEDIR
special := ' " \ ` $$ & | ; < > ( ) { } [ ] * ? ! \#

refuse = $(error $1=$($1): $2)
refuse_text = $(if $(findstring $2,$($1)),$(call refuse,$1,a path must not have $3 in it))

$(foreach path,BUILD $(places) source, \
    $(foreach character,$(special),$(call refuse_text,$(path),$(character),$(character))) \
    $(call refuse_text,$(path),$(tab),a tab) \
    $(call refuse_text,$(path),$(newline),a new line) \
    $(if $(filter ~%,$($(path))),$(call refuse,$(path),the shell has left ~ as it is: write $$HOME)))
$(foreach character,% : = $(comma),$(call refuse_text,BUILD,$(character),$(character)))
$(if $(filter-out 1,$(words $(build))),$(call refuse,BUILD,make cannot build in a path with a space))
$(foreach path,$(filter-out DESTDIR,$(places)),$(if $(filter-out /%,$(firstword $($(path)))), \
    $(call refuse,$(path),this must be an absolute path)))
