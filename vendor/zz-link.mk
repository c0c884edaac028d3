# How the libraries above reach the compiler: pkg-config for those that have a file, plain names for the rest. A cross
# build asks the sysroot's files. Read last, after the fragments.
ifeq ($(ARCH),)
VENDOR_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(VENDOR_PKGS) 2>/dev/null)
VENDOR_LIBS   := $(or $(shell $(PKG_CONFIG) --libs $(VENDOR_PKGS) 2>/dev/null),-lcbor -lz -lsodium) -lbearssl -lm
else
VENDOR_CFLAGS := -isystem $(SYSROOT)/usr/include
VENDOR_LIBS   := -L$(SYSROOT)/usr/lib/$(patsubst %-,%,$(CROSS)) -Wl,-rpath-link,$(SYSROOT)/usr/lib/$(patsubst %-,%,$(CROSS)) \
	-lcbor -lz -lsodium -lbearssl -lm
endif
