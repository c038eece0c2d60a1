/* Follow a dialogue line by line, and keep what is worth telling of it. */
#ifndef WB_TEST_TALK_H
#define WB_TEST_TALK_H

#include "tool/test/dialogue.h"

enum { WB_TALK_MECHANISM_OCTETS = 24, WB_TALK_OFFER_OCTETS = 200 };

struct wb_talk {
    struct wb_pool *pool;
    struct wb_dialogue *dialogue;
    int64_t last_us;  /* when the last step was done, by the monotonic clock */
    int64_t heard_us; /* when anything was last said */
    char
        command[12]; /* the last one; "" before the first, "." for the letter */
    bool is_logging_in; /* what the client says now is secret */
    bool has_logged_in;
    char mechanism[WB_TALK_MECHANISM_OCTETS]; /* of AUTH */
    char offer[WB_TALK_OFFER_OCTETS];         /* what the server would take */
    char greeting[WB_REPLY_MAX_OCTETS];
    char reply[WB_REPLY_MAX_OCTETS]; /* the last whole one, lines by '\n' */
    size_t octets;                   /* of a reply that is being read */
    int code;                        /* of reply; 0: none yet */
    bool is_refused; /* reply is a refusal of the last command */
    bool is_foreign; /* reply is a greeting in another protocol */
};

int64_t wb_talk_now_us(void);

/* Begin: the clock runs. */
void wb_talk_begin(struct wb_talk *t, struct wb_pool *pool,
                   struct wb_dialogue *dialogue);

/* The first step that is not done; WB_STEP_ANY when all are. */
enum wb_step wb_talk_next(const struct wb_dialogue *d);

/* All steps up to this one are done; once each. */
void wb_talk_done(struct wb_talk *t, enum wb_step step, const char *detail);

/* One line that the client, or the server, said; octets of it, with CRLF. */
void wb_talk_client(struct wb_talk *t, const char *line, size_t octets);
void wb_talk_server(struct wb_talk *t, const char *line, size_t octets);

/* text without the password, however it is encoded, without control
 * characters but '\n', and in UTF-8. Lives in the talk's pool. */
const char *wb_talk_clean(const struct wb_talk *t, const char *text);

#endif
