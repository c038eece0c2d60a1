#include "unit.h"

#include <stdlib.h>

#include "match/headers.h"
#include "match/rule_index.h"

enum { MOST = 8 };

static uint64_t still_clock(void)
{
    return 0;
}

/* One rule as text; lists are separated by spaces. */
struct rule_text {
    const char *name;
    int priority;
    const char *recipients;
    const char *senders;
    const char *login; /* NULL: any */
};

static void parse_list(struct wb_pool *p, const char *text,
                       struct wb_addrlist *out)
{
    char *words = wb_pool_strdup(p, text != NULL ? text : "");
    char *rest = NULL;
    struct wb_err err;

    out->entries = wb_pool_array(p, MOST, sizeof out->entries[0]);
    for (char *w = strtok_r(words, " ", &rest); w != NULL;
         w = strtok_r(NULL, " ", &rest))
        assert_int_equal(
            wb_addrspec_parse(p, w, &out->entries[out->count++], &err), EX_OK);
}

static void parse_rules(struct wb_pool *p, const struct rule_text *texts,
                        size_t count, struct wb_rules *out)
{
    *out = (struct wb_rules){.rules =
                                 wb_pool_array(p, count, sizeof out->rules[0])};
    for (size_t i = 0; i < count && texts[i].name != NULL; i++) {
        struct wb_rule *r = &out->rules[out->count++];
        const char **login = wb_pool_array(p, 1, sizeof *login);

        r->name = texts[i].name;
        r->priority = texts[i].priority;
        r->order = i;
        parse_list(p, texts[i].recipients, &r->recipients);
        parse_list(p, texts[i].senders, &r->senders);
        *login = texts[i].login;
        r->logins = (struct wb_strings){login, texts[i].login != NULL};
    }
    wb_rules_sort(out);
    assert_true(wb_rules_index(out));
}

static void free_rules(struct wb_rules *rules)
{
    for (size_t i = 0; i < rules->count; i++) {
        wb_addrlist_free(&rules->rules[i].recipients);
        wb_addrlist_free(&rules->rules[i].senders);
    }
    wb_rules_index_free(rules);
}

/* Ask the table; losses must hold MOST entries or be NULL. */
static const struct wb_rule *find(struct wb_pool *p, const struct wb_rules *t,
                                  const char *sender, const char *recipient,
                                  const char *login, bool mta_has_own_route,
                                  struct wb_loss *losses, size_t *loss_count)
{
    const struct wb_budget budget = {
        .match_limit = 100000, .limit_ns = 1, .clock_ns = still_clock};
    struct wb_envelope env = {.login = login};
    struct wb_recipient to = {.given = recipient};
    struct wb_matcher matcher;
    const struct wb_rule_query query = {
        .matcher = &matcher,
        .recipient = &to,
        .mta_has_own_route = mta_has_own_route,
    };
    const struct wb_rule *winner;
    struct wb_err err;

    assert_int_equal(wb_address_parse(p, sender, &env.sender, &err), EX_OK);
    assert_int_equal(wb_address_parse(p, recipient, &to.address, &err), EX_OK);
    assert_true(wb_matcher_begin(&matcher, &env, &budget, 1024, p));
    assert_int_equal(wb_rules_find(t, &query, &winner, &err), EX_OK);
    if (losses != NULL)
        *loss_count = wb_rules_explain(t, &query, winner, losses);
    return winner;
}

static const struct {
    const char *why;
    struct rule_text rules[MOST];
    const char *winner; /* for s@from.test to r@sub.to.test by login "l" */
    bool mta_has_own_route;
} rows[] = {
    {.why = "no rules", .winner = NULL},
    {.why = "no match", .rules = {{"a", 1, "x.test", NULL, NULL}}},
    {.why = "a rule that asks nothing matches",
     .rules = {{"a", 1, NULL, NULL, NULL}},
     .winner = "a"},
    {.why = "the smaller priority wins, however specific the other",
     .rules = {{"a", 2, "r@sub.to.test", NULL, NULL},
               {"b", 1, "*", NULL, NULL}},
     .winner = "b"},
    {.why = "negative priorities are smaller",
     .rules = {{"a", 0, NULL, NULL, NULL}, {"b", -1, NULL, NULL, NULL}},
     .winner = "b"},
    {.why = "address before domain",
     .rules = {{"a", 1, "sub.to.test", NULL, NULL},
               {"b", 1, "r@sub.to.test", NULL, NULL}},
     .winner = "b"},
    {.why = "domain before subdomain",
     .rules = {{"a", 1, ".to.test", NULL, NULL},
               {"b", 1, "sub.to.test", NULL, NULL}},
     .winner = "b"},
    {.why = "the longer subdomain",
     .rules = {{"a", 1, ".test", NULL, NULL}, {"b", 1, ".to.test", NULL, NULL}},
     .winner = "b"},
    {.why = "subdomain before regex",
     .rules = {{"a", 1, "/^r@/", NULL, NULL}, {"b", 1, ".test", NULL, NULL}},
     .winner = "b"},
    {.why = "regex before *",
     .rules = {{"a", 1, "*", NULL, NULL}, {"b", 1, "/^r@/", NULL, NULL}},
     .winner = "b"},
    {.why = "* is as good as no list",
     .rules = {{"a", 1, NULL, NULL, NULL}, {"b", 1, "*", NULL, NULL}},
     .winner = "a"},
    {.why = "the recipient's before the sender's",
     .rules = {{"a", 1, ".test", "s@from.test", NULL},
               {"b", 1, "sub.to.test", NULL, NULL}},
     .winner = "b"},
    {.why = "then the sender's",
     .rules = {{"a", 1, "sub.to.test", "from.test", NULL},
               {"b", 1, "sub.to.test", "s@from.test", NULL}},
     .winner = "b"},
    {.why = "then more criteria",
     .rules = {{"a", 1, "sub.to.test", NULL, NULL},
               {"b", 1, "sub.to.test", NULL, "l"}},
     .winner = "b"},
    {.why = "a login that is another",
     .rules = {{"a", 1, NULL, NULL, NULL}, {"b", 0, NULL, NULL, "other"}},
     .winner = "a"},
    {.why = "then file order",
     .rules = {{"a", 1, "sub.to.test", NULL, NULL},
               {"b", 1, "sub.to.test", NULL, NULL}},
     .winner = "a"},
    {.why = "the closest entry of a list counts",
     .rules = {{"a", 1, "sub.to.test", NULL, NULL},
               {"b", 1, "* x.test r@sub.to.test", NULL, NULL}},
     .winner = "b"},
    {.why = "the MTA's own entry outranks * and regexes",
     .mta_has_own_route = true,
     .rules = {{"a", 1, "*", NULL, NULL},
               {"b", 1, "/./", NULL, NULL},
               {"c", 9, ".to.test", NULL, NULL}},
     .winner = "c"},
};

static void the_right_rule_wins(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wb_pool *p = wb_pool_new(0);
        struct wb_loss losses[MOST];
        struct wb_rules rules;
        const struct wb_rule *quick, *told;
        size_t lost;

        parse_rules(p, rows[i].rules, MOST, &rules);
        quick = find(p, &rules, "s@from.test", "r@sub.to.test", "l",
                     rows[i].mta_has_own_route, NULL, NULL);
        told = find(p, &rules, "s@from.test", "r@sub.to.test", "l",
                    rows[i].mta_has_own_route, losses, &lost);
        ROW_TRUE(&rows[i], quick == told);
        ROW_TRUE(&rows[i], (quick == NULL) == (rows[i].winner == NULL));
        ROW_TRUE(&rows[i],
                 quick == NULL || strcmp(quick->name, rows[i].winner) == 0);
        ROW_TRUE(&rows[i], lost == rules.count - (quick != NULL));
        free_rules(&rules);
        wb_pool_free(p);
    }
}

/* A few numbers are enough, and the same each time. */
static unsigned dice(unsigned *seed, unsigned sides)
{
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 16) % sides;
}

static const char *const forms[] = {"*",         "/r@/",        ".test",
                                    ".to.test",  "sub.to.test", "r@sub.to.test",
                                    "else.test", NULL};
static const size_t closeness[] = {1, 2, 103, 106, 200, 300, 0, 1};

/* The rule that sorting all that match by the manual's words would choose. */
static size_t oracle(const struct rule_text *texts, const size_t *to,
                     const size_t *from, size_t count)
{
    size_t best = count;

    for (size_t i = 0; i < count; i++) {
        bool fits = closeness[to[i]] > 0 && from[i] != 1;

        if (!fits)
            continue;
        if (best == count || texts[i].priority < texts[best].priority ||
            (texts[i].priority == texts[best].priority &&
             (closeness[to[i]] > closeness[to[best]] ||
              (closeness[to[i]] == closeness[to[best]] &&
               from[i] > from[best]))))
            best = i;
    }
    return best;
}

static void any_table_agrees_with_the_oracle(void **state)
{
    /* not restricted, another's, the sender's own */
    static const char *const senders[] = {NULL, "else.test", "from.test"};
    static const char *const names[] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    unsigned seed = 2026;

    (void)state;
    for (int round = 0; round < 5000; round++) {
        struct wb_pool *p = wb_pool_new(0);
        struct rule_text texts[MOST] = {0};
        size_t to[MOST], from[MOST], expected;
        struct wb_rules rules;
        const struct wb_rule *winner;

        for (size_t i = 0; i < MOST; i++) {
            to[i] = dice(&seed, COUNT(forms));
            from[i] = dice(&seed, COUNT(senders));
            texts[i] = (struct rule_text){names[i], (int)dice(&seed, 3),
                                          forms[to[i]], senders[from[i]], NULL};
        }
        parse_rules(p, texts, MOST, &rules);
        expected = oracle(texts, to, from, MOST);
        winner = find(p, &rules, "s@from.test", "r@sub.to.test", NULL, false,
                      NULL, NULL);
        assert_int_equal(winner == NULL, expected == MOST);
        if (winner != NULL)
            assert_string_equal(winner->name, names[expected]);
        free_rules(&rules);
        wb_pool_free(p);
    }
}

/* One more at each look, so that each search costs 1. */
static _Thread_local uint64_t looks;

static uint64_t counting_clock(void)
{
    return looks++;
}

static void a_header_is_searched_once_a_message(void **state)
{
    const struct wb_header headers[] = {{"Subject", "hello"}};
    const struct wb_envelope env = {.headers = headers, .header_count = 1};
    const struct wb_budget budget = {
        .match_limit = 1000, .limit_ns = 100, .clock_ns = counting_clock};
    struct wb_pool *p = wb_pool_new(0);
    struct wb_matcher m;
    struct wb_pattern *yes, *no;

    (void)state;
    assert_true(wb_matcher_begin(&m, &env, &budget, 1024, p));
    assert_int_equal(wb_pattern_new("^hello", &yes, NULL), EX_OK);
    assert_int_equal(wb_pattern_new("^bye", &no, NULL), EX_OK);
    for (int recipient = 0; recipient < 1000; recipient++) {
        assert_int_equal(wb_headers_match(&m, 0, "subject", yes), WB_YES);
        assert_int_equal(wb_headers_match(&m, 1, "subject", no), WB_NO);
    }
    assert_int_equal(m.budget.used_ns, 2);
    wb_pattern_free(yes);
    wb_pattern_free(no);
    wb_pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_right_rule_wins),
        cmocka_unit_test(any_table_agrees_with_the_oracle),
        cmocka_unit_test(a_header_is_searched_once_a_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
