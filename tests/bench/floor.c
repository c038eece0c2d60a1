/* The floor: what any filter on this libmilter must cost that reads the
 * envelope and the headers and makes two constant changes.
 *
 *     floor SOCKET [none | same]
 *
 * Without a word: one sender and one header for every message, whatever it is.
 * none: no change at all. same: also the two changes that waybill makes for
 * each recipient that it routes, with a constant suffix.
 *
 * It negotiates as waybill does, so the MTA sends it the same packets. */
#include <libmilter/mfapi.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

enum { RECIPIENTS_MAX = 50, ADDRESS_MAX_OCTETS = 128 };

#define SUFFIX ".r0.aaaaaaaa.waybill.invalid"

/* One connection and its message. */
struct session {
    unsigned count;
    char recipients[RECIPIENTS_MAX][ADDRESS_MAX_OCTETS]; /* with brackets */
};

static enum { TWO_CHANGES, NO_CHANGE, SAME_CHANGES } changes;
static bool is_inet;

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long offered_actions,
                             unsigned long offered_protocol, unsigned long f2,
                             unsigned long f3, unsigned long *actions,
                             unsigned long *protocol, unsigned long *out2,
                             unsigned long *out3)
{
    static char connect[] = "{daemon_name} {client_addr}";
    static char mail[] = "i {auth_authen} {mail_addr}";
    static char rcpt[] = "i {rcpt_mailer} {rcpt_host} {rcpt_addr}";
    static char end[] = "i";
    unsigned long wanted = SMFIP_NOHELO | SMFIP_NOUNKNOWN | SMFIP_NOBODY |
                           SMFIP_NR_CONN | SMFIP_NR_MAIL | SMFIP_NR_RCPT |
                           SMFIP_NR_HDR | SMFIP_NR_EOH;

    (void)f2;
    (void)f3;
    /* see milter/negotiate.c */
    if (!is_inet)
        wanted |= SMFIP_NODATA | SMFIP_NOEOH;
    *actions = offered_actions;
    *protocol = wanted & offered_protocol;
    *out2 = *out3 = 0;
    smfi_setsymlist(ctx, SMFIM_CONNECT, connect);
    smfi_setsymlist(ctx, SMFIM_ENVFROM, mail);
    smfi_setsymlist(ctx, SMFIM_ENVRCPT, rcpt);
    smfi_setsymlist(ctx, SMFIM_EOM, end);
    return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *name, _SOCK_ADDR *peer)
{
    (void)name;
    (void)peer;
    if (changes == SAME_CHANGES)
        smfi_setpriv(ctx, calloc(1, sizeof(struct session)));
    return SMFIS_NOREPLY;
}

static sfsistat on_mail(SMFICTX *ctx, char **argv)
{
    struct session *s = smfi_getpriv(ctx);

    (void)argv;
    if (s != NULL)
        s->count = 0;
    return SMFIS_NOREPLY;
}

static sfsistat on_rcpt(SMFICTX *ctx, char **argv)
{
    struct session *s = smfi_getpriv(ctx);

    if (s != NULL && s->count < RECIPIENTS_MAX)
        snprintf(s->recipients[s->count++], ADDRESS_MAX_OCTETS, "%s", argv[0]);
    return SMFIS_NOREPLY;
}

/* On inet sockets only. */
static sfsistat on_data(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    (void)ctx;
    (void)name;
    (void)value;
    return SMFIS_NOREPLY;
}

/* "<u@dom>" becomes "<u@dom" SUFFIX ">". */
static void send_another_way(SMFICTX *ctx, char *recipient)
{
    char added[ADDRESS_MAX_OCTETS + sizeof SUFFIX];
    char esmtp[ADDRESS_MAX_OCTETS + sizeof "ORCPT=rfc822;"];
    int octets = (int)strlen(recipient) - 2;

    snprintf(added, sizeof added, "<%.*s" SUFFIX ">", octets, recipient + 1);
    snprintf(esmtp, sizeof esmtp, "ORCPT=rfc822;%.*s", octets, recipient + 1);
    smfi_delrcpt(ctx, recipient);
    smfi_addrcpt_par(ctx, added, esmtp);
}

static sfsistat on_end_of_headers(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_NOREPLY;
}

static sfsistat on_end(SMFICTX *ctx)
{
    static char name[] = "X-Waybill-Route", route[] = "r0";
    static char sender[] = "<info@return.example.com>";
    struct session *s = smfi_getpriv(ctx);

    if (changes == NO_CHANGE)
        return SMFIS_CONTINUE;
    if (smfi_addheader(ctx, name, route) != MI_SUCCESS ||
        smfi_chgfrom(ctx, sender, NULL) != MI_SUCCESS)
        return SMFIS_TEMPFAIL;
    for (unsigned i = 0; s != NULL && i < s->count; i++)
        send_another_way(ctx, s->recipients[i]);
    return SMFIS_CONTINUE;
}

static sfsistat on_abort(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
    free(smfi_getpriv(ctx));
    smfi_setpriv(ctx, NULL);
    return SMFIS_CONTINUE;
}

static bool register_callbacks(void)
{
    static char name[] = "floor";
    struct smfiDesc filter = {
        .xxfi_name = name,
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags =
            SMFIF_ADDHDRS | SMFIF_CHGFROM | SMFIF_ADDRCPT_PAR | SMFIF_DELRCPT,
        .xxfi_connect = on_connect,
        .xxfi_envfrom = on_mail,
        .xxfi_envrcpt = on_rcpt,
        .xxfi_data = on_data,
        .xxfi_header = on_header,
        .xxfi_eoh = on_end_of_headers,
        .xxfi_eom = on_end,
        .xxfi_abort = on_abort,
        .xxfi_close = on_close,
        .xxfi_negotiate = on_negotiate,
    };

    return smfi_register(filter) == MI_SUCCESS;
}

/* On all that could be libmilter's socket; see milter/socket.c. */
static void set_no_delay(void)
{
    int yes = 1;

    for (int fd = 3; is_inet && fd < 16; fd++)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

int main(int argc, char **argv)
{
    const char *word = argc == 3 ? argv[2] : "";

    if (argc < 2 || argc > 3) {
        fputs("usage: floor SOCKET [none | same]\n", stderr);
        return EX_USAGE;
    }
    if (strcmp(word, "none") == 0)
        changes = NO_CHANGE;
    else if (strcmp(word, "same") == 0)
        changes = SAME_CHANGES;
    is_inet = strncmp(argv[1], "unix:", 5) != 0;
    if (!register_callbacks() || smfi_setbacklog(1024) != MI_SUCCESS ||
        smfi_setconn(argv[1]) != MI_SUCCESS ||
        smfi_opensocket(true) != MI_SUCCESS)
        return EX_UNAVAILABLE;
    set_no_delay();
    return smfi_main() == MI_SUCCESS ? EX_OK : EX_UNAVAILABLE;
}
