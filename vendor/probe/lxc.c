#include <lxc/lxccontainer.h>
int main(void) { return sizeof(struct lxc_container) ? 0 : 1; }
