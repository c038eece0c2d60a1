#include "tool/test/names.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <string.h>

enum { ANSWER_OCTETS = 4096, TRIES = 2, WAIT_S = 2 };

static enum wb_verdict ask(struct __res_state *state, const char *host,
                           ns_type type)
{
    unsigned char answer[ANSWER_OCTETS];

    if (res_nquery(state, host, ns_c_in, (int)type, answer, sizeof answer) > 0)
        return WB_YES;
    return state->res_h_errno == HOST_NOT_FOUND || state->res_h_errno == NO_DATA
               ? WB_NO
               : WB_RETRY;
}

/* A name that is not ASCII is asked for in another form: nothing is known. */
static bool is_ascii(const char *host)
{
    for (; *host != '\0'; host++)
        if ((unsigned char)*host >= 0x80)
            return false;
    return true;
}

enum wb_verdict wb_dns_knows(const char *host, const struct wb_source *source)
{
    struct __res_state state = {0};
    enum wb_verdict v4 = WB_NO, v6 = WB_NO;

    if (!is_ascii(host) || res_ninit(&state) != 0)
        return WB_RETRY;
    state.retry = TRIES;
    state.retrans = WAIT_S;
    if (!source->no_ipv4)
        v4 = ask(&state, host, ns_t_a);
    if (v4 != WB_YES && !source->no_ipv6)
        v6 = ask(&state, host, ns_t_aaaa);
    res_nclose(&state);
    if (v4 == WB_YES || v6 == WB_YES)
        return WB_YES;
    return v4 == WB_RETRY || v6 == WB_RETRY ? WB_RETRY : WB_NO;
}
