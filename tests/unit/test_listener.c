/* What listeners take, and from whom. */
#include "unit.h"

#include <stdlib.h>
#include <unistd.h>

#include "plan/plan.h"

static const char configuration[] =
    "networks = { \"127.0.0.0/8\", \"198.51.100.0/24\" }\n"
    "webhook crm { url = \"https://app.example.com/hook\" }\n"
    "inbound form { domains = { \"form.example.com\" }"
    "  match_on = envelope  match = 'info@'  webhook = crm }\n"
    "inbound desk { domains = { \"desk.example.com\" }"
    "  match_on = envelope  match = 'info@'  webhook = crm }\n"
    "bounces { domains = { \"return.example.com\", \"back.example.com\" }"
    "  webhook = crm  port_25 = no }\n"
    "route bulk { host = \"smtp.bulk.test\" }\n"
    "rule all { route = bulk }\n"
    "listener own { class = inbound }\n"
    "listener relay { class = outbound }\n"
    "listener all { class = inbound  port = 1001 }\n"
    "listener some { class = inbound  port = 1002"
    "  inbound_domains = { \"form.example.com\" }"
    "  bounce_domains = { \"back.example.com\" } }\n"
    "listener near { class = inbound  port = 1003"
    "  networks = { \"192.0.2.0/24\", \"2001:db8::/32\" } }\n"
    "listener out { class = outbound  port = 1004"
    "  networks = { \"192.0.2.0/24\" } }\n"
    "listener login { class = outbound  port = 1005  login = yes }\n"
    "listener both { class = outbound  port = 1006  login = yes"
    "  networks = { \"192.0.2.0/24\" } }\n";

#define STRANGER "203.0.113.5"
#define NEAR     "192.0.2.5"
#define OWN      "198.51.100.5"
#define REFUSED  "550 5.7.1"
#define ABROAD   "a@elsewhere.test"

static const struct {
    const char *why;
    const char *listener, *client, *login, *to;
    const char *verdict; /* a route, "crm", "" for left alone, or a reply */
} rows[] = {
    {"inbound", "all", STRANGER, NULL, "info@form.example.com", "crm"},
    {"inbound, capitals", "all", STRANGER, NULL, "INFO@Desk.Example.com",
     "crm"},
    {"bounce", "all", STRANGER, NULL, "info@return.example.com", "crm"},
    {"nobody's", "all", STRANGER, NULL, ABROAD, REFUSED},
    {"nobody's, own network", "all", OWN, NULL, ABROAD, REFUSED},
    {"nobody's, this host", "all", "127.0.0.1", NULL, ABROAD, REFUSED},
    {"nobody's, no client", "all", NULL, NULL, ABROAD, REFUSED},
    {"nobody's, a login", "all", STRANGER, "shop", ABROAD, REFUSED},
    {"below a domain", "all", STRANGER, NULL, "info@a.form.example.com",
     REFUSED},
    {"percent", "all", STRANGER, NULL, "a%elsewhere.test@this.test", REFUSED},
    {"literal", "all", STRANGER, NULL, "a@[192.0.2.1]", REFUSED},
    {"a mark", "all", STRANGER, NULL,
     "a@elsewhere.test.bulk.aaaaaaaa.waybill.invalid", "550 5.1.2"},
    {"postmaster", "all", STRANGER, NULL, "Postmaster", ""},
    {"another local", "all", STRANGER, NULL, "root", REFUSED},
    {"postmaster elsewhere", "all", STRANGER, NULL, "postmaster@elsewhere.test",
     REFUSED},
    {"in the list", "some", STRANGER, NULL, "info@form.example.com", "crm"},
    {"not in the list", "some", STRANGER, NULL, "info@desk.example.com",
     REFUSED},
    {"bounce in the list", "some", STRANGER, NULL, "info@back.example.com",
     "crm"},
    {"bounce not in the list", "some", STRANGER, NULL,
     "info@return.example.com", REFUSED},
    {"network", "near", NEAR, NULL, "info@form.example.com", "crm"},
    {"network, IPv6", "near", "2001:db8::5", NULL, "info@form.example.com",
     "crm"},
    {"other network", "near", STRANGER, NULL, "info@form.example.com", REFUSED},
    {"own network is another", "near", OWN, NULL, "info@form.example.com",
     REFUSED},
    {"network, no client", "near", NULL, NULL, "info@form.example.com",
     REFUSED},
    {"out", "out", NEAR, NULL, ABROAD, "bulk"},
    {"out, stranger", "out", STRANGER, NULL, ABROAD, REFUSED},
    {"out, own network is another", "out", OWN, NULL, ABROAD, REFUSED},
    {"out, a login is not asked", "out", STRANGER, "shop", ABROAD, REFUSED},
    {"out, inbound domain", "out", NEAR, NULL, "info@form.example.com", "crm"},
    {"login", "login", STRANGER, "shop", ABROAD, "bulk"},
    {"login, without", "login", STRANGER, NULL, ABROAD, REFUSED},
    {"login, empty", "login", STRANGER, "", ABROAD, REFUSED},
    {"both, network", "both", NEAR, NULL, ABROAD, "bulk"},
    {"both, login", "both", STRANGER, "shop", ABROAD, "bulk"},
    {"both, neither", "both", STRANGER, NULL, ABROAD, REFUSED},
    {"the site's own service", "own", STRANGER, NULL, ABROAD, ""},
    {"the site's own, login", "own", STRANGER, "shop", ABROAD, "bulk"},
    {"the site's own for bounces", "own", STRANGER, NULL,
     "info@return.example.com", "crm"},
    {"the site's own, outbound", "relay", STRANGER, NULL, ABROAD, "bulk"},
    {"bounce at port 25", "smtpd", STRANGER, NULL, "info@return.example.com",
     REFUSED},
    {"bounce at port 25, own", "smtpd", OWN, NULL, "info@return.example.com",
     REFUSED},
    {"bounce at an outbound one", "relay", NEAR, NULL,
     "info@return.example.com", REFUSED},
    {"bounce of the MTA", "waybill-bounce", NULL, NULL,
     "info@return.example.com", "crm"},
    {"bounce by loopback", "waybill-loopback", "127.0.0.1", NULL,
     "info@return.example.com", "crm"},
    {"bounce of a local process", NULL, NULL, NULL, "info@return.example.com",
     "crm"},
    {"inbound at port 25", "smtpd", STRANGER, NULL, "info@form.example.com",
     "crm"},
};

static struct wb_conf *load(void)
{
    char path[] = "/tmp/waybill-listener-XXXXXX";
    struct wb_problems problems = {0};
    struct wb_conf *conf = NULL;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, configuration, strlen(configuration)),
                     (int)strlen(configuration));
    close(fd);
    wb_conf_load(path, WB_USE_EXPLAIN, &conf, &problems);
    unlink(path);
    wb_problems_print(&problems, stderr);
    wb_problems_free(&problems);
    assert_non_null(conf);
    return conf;
}

static const char *verdict_of(const struct wb_plan *plan, struct wb_pool *p)
{
    const struct wb_recipient_plan *r = &plan->recipients[0];

    if (plan->decision != WB_ACCEPT)
        return wb_pool_printf(p, "%s %s", plan->reply.code,
                              plan->reply.enhanced);
    if (r->webhook != NULL)
        return r->webhook->name;
    return r->route != NULL ? r->route->name : "";
}

/* At the end of the message and, where it is refused, at RCPT. */
static void check(const struct wb_conf *conf, size_t i)
{
    struct wb_pool *p = wb_pool_new(0);
    struct wb_recipient to = {.given = rows[i].to, .mailer = "smtp"};
    struct wb_envelope env = {.client = rows[i].client,
                              .listener = rows[i].listener,
                              .login = rows[i].login,
                              .now_s = 1800000000,
                              .recipients = &to,
                              .recipient_count = 1};
    enum wb_decision decision;
    struct wb_reply reply = {0};
    struct wb_plan plan;
    bool is_refused = rows[i].verdict[0] == '5';

    assert_int_equal(wb_address_parse(p, rows[i].to, &to.address, NULL), EX_OK);
    assert_int_equal(wb_address_parse(p, "<>", &env.sender, NULL), EX_OK);
    assert_int_equal(wb_plan_make(conf, &env, p, false, &plan, NULL), EX_OK);
    ROW_TRUE(&rows[i], strcmp(verdict_of(&plan, p), rows[i].verdict) == 0);
    assert_int_equal(
        wb_plan_recipient_early(conf, &env, &to, p, &decision, &reply, NULL),
        EX_OK);
    ROW_TRUE(&rows[i], (decision == WB_REJECT) == is_refused);
    ROW_TRUE(&rows[i],
             !is_refused || strncmp(reply.code, rows[i].verdict, 3) == 0);
    wb_pool_free(p);
}

static void listeners_take_what_they_are_for(void **state)
{
    struct wb_conf *conf = load();

    (void)state;
    assert_true(wb_plan_may_reject_early(conf));
    for (size_t i = 0; i < COUNT(rows); i++)
        check(conf, i);
    wb_conf_unref(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listeners_take_what_they_are_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
