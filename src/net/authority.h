/* authority.h - the box's own certificates: a root made at the first start, and one for the names the box is asked by.
 *
 * For: main, which puts them before its doors with TLS. Other certificates and names come with the domain's next rows.
 * Owns: /private/keyStore/localCerts {rootKey, rootCert, leafKey, leafCert} (PEM), and /public/serverInfo/caFingerprint.
 * Never: signs anything for others. The keys are in the tree, 0600 with it: see docs/decisions/0023.
 * Dates: from the clock where it may be believed, else from the year of the program; the root lasts 20 years, the leaf 397 days (what
 *   browsers take) and is made anew when 30 days are left, or when the names have changed.
 * Tried: tests/net/authority, tests/cli/startd.sh. */
#ifndef NET_AUTHORITY_H
#define NET_AUTHORITY_H

#include "protocols/x509.h"
#include "state/state.h"

struct authority_wants {
    struct slice hostname;      /* label; "" none */
    const struct x509_alt *ips; /* further addresses */
    size_t ip_n;
    int64_t now_s; /* seconds since 1970 */
    bool clock_trusted;
};

/* Makes what is missing or worn out, in one transaction. *changed: something was. */
bool authority_keep(struct state *s, const struct authority_wants *want, bool *changed, struct err *e);
/* What a server shows: leaf and root as PEM, the leaf's key; point into the state's root, good until the next commit. Empty when
 * there is none. */
struct authority_identity {
    struct slice leaf, root, key;
};
struct authority_identity authority_identity(const struct state *s);

extern const struct plan_branch net_branches[];
extern const unsigned net_branch_n;

#endif
