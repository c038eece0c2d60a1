/* What the daemon and the MTA agree on when a connection begins. */
#ifndef WB_MILTER_NEGOTIATE_H
#define WB_MILTER_NEGOTIATE_H

#include <libmilter/mfapi.h>

#include "milter/session.h"

/* Changes to a message that waybill cannot do without. */
#define WB_NEEDED_ACTIONS                                                      \
    (SMFIF_CHGFROM | SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_ADDRCPT |           \
     SMFIF_ADDRCPT_PAR | SMFIF_DELRCPT)

/* offered_*: what the MTA can do; *actions and *protocol: what is wanted of
 * it. Returns SMFIS_CONTINUE, or SMFIS_REJECT when the MTA lacks something:
 * libmilter then closes the connection, and the MTA tempfails. */
sfsistat wb_negotiate(SMFICTX *ctx, struct wb_session *s,
                      unsigned long offered_actions,
                      unsigned long offered_protocol, unsigned long *actions,
                      unsigned long *protocol);

#endif
