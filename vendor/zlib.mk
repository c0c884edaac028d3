# zlib: permessage-deflate, gzip. Debian zlib1g-dev >= 1.2.13. zlib licence.
VENDOR_PKGS += zlib
