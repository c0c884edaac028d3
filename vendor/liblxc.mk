# liblxc: containers. Debian lxc-dev >= 5.0 for the header only: jobs of the warden load the library with dlopen, so
# nothing here links it. LGPL-2.1+. vendor/probe/lxc.c is the probe.
VENDOR_PROBES += lxc
