/* What the DNS knows. */
#ifndef WB_TEST_NAMES_H
#define WB_TEST_NAMES_H

#include "tool/test/dialogue.h"

/* Does the DNS, and not only this machine, know an address of host that
 * source may use? Bounded to some seconds.
 * WB_RETRY: no name server answered. */
enum wb_verdict wb_dns_knows(const char *host, const struct wb_source *source);

#endif
