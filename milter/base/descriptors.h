/* How many descriptors a daemon may open. */
#ifndef WB_MILTER_BASE_DESCRIPTORS_H
#define WB_MILTER_BASE_DESCRIPTORS_H

/* As many as this process may raise its limit to: every connection takes one,
 * and up to five while waybill-lmtp posts. */
void wb_descriptors_raise(void);

#endif
