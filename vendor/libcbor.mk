# libcbor: RFC 8949 heads in and out (streaming decoder and encoder only). Debian libcbor-dev >= 0.8. MIT.
VENDOR_PKGS += libcbor
