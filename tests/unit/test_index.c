/* Whatever the index finds, the winner is the one that a loop over all rules
 * finds: the loop is the oracle, and rules and messages are drawn by lot.
 *
 * PROVE_CASES and PROVE_SEED in the environment say how many, and which. */
#include "unit.h"

#include <stdlib.h>
#include <time.h>

#include "conf/inbound_index.h"
#include "match/literal.h"
#include "match/rule_index.h"
#include "plan/inbound.h"

enum {
    MOST_RULES = 30,
    MOST_ENTRIES = 4,
    MOST_HEADERS = 4,
    MESSAGES = 40, /* to one table */
    TEXT = 1500,
    HEADER_MAX_OCTETS = 400,
    DEFAULT_CASES = 1000000,
};

static uint64_t still_clock(void)
{
    return 0;
}

static const struct wb_budget budget = {
    .match_limit = 100000, .limit_ns = 1, .clock_ns = still_clock};

static uint64_t lot;

/* xorshift64* */
static size_t dice(size_t sides)
{
    lot ^= lot >> 12;
    lot ^= lot << 25;
    lot ^= lot >> 27;
    return (size_t)((lot * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % sides;
}

#define PICK(array) ((array)[dice(COUNT(array))])

/* ---- patterns, each with a text that it is likely to match ---- */

struct sample {
    char pattern[TEXT];
    char text[TEXT];
};

static void put(char *out, const char *text)
{
    size_t used = strlen(out);

    snprintf(out + used, TEXT - used, "%s", text);
}

static void put_octet(char *out, char c)
{
    put(out, (char[]){c, '\0'});
}

/* Another way to write an octet of a text, which matches all the same. */
static void put_like(char *out, char c)
{
    if (c == 's' && dice(8) == 0)
        put(out, "\xc5\xbf");
    else if (c == 'k' && dice(8) == 0)
        put(out, "\xe2\x84\xaa");
    else if (c >= 'a' && c <= 'z' && dice(4) == 0)
        put_octet(out, (char)(c - 32));
    else if (c == '\x84' && dice(2)) /* of the only umlaut */
        put_octet(out, '\xa4');
    else
        put_octet(out, c);
}

static void put_source(char *out, char c)
{
    if (strchr("\\()[]{}*+?|^$.", c) != NULL || c == '@')
        put_octet(out, c == '@' && dice(2) ? '@' : '\\');
    if (c != '@' || out[strlen(out) - 1] == '\\')
        put_octet(out,
                  c >= 'a' && c <= 'z' && dice(6) == 0 ? (char)(c - 32) : c);
}

static const char *const words[] = {
    "info@",    "shop",         "mailform", "example", ".com",  "tasks",
    "-7",       "(order)",      "kiosk",    "welcome", "12345", "注文",
    "お知らせ", "@example.com", "a",        "sk",      "x@y",   "Ärger",
};

static void add_word(struct sample *s)
{
    static const char *const counts[] = {"?", "+", "*", "{1,3}", "??", "++"};
    const char *word = PICK(words);
    const char *count = dice(5) == 0 ? PICK(counts) : "";
    size_t length = strlen(word);

    for (size_t i = 0; i < length; i++) {
        put_source(s->pattern, word[i]);
        put_like(s->text, word[i]);
    }
    put(s->pattern, count);
    if (*count == '+' && dice(2))
        put_octet(s->text, word[length - 1]);
    else if ((*count == '?' || *count == '*') && dice(2) &&
             (word[length - 1] & 0x80) == 0)
        s->text[strlen(s->text) - 1] = '\0';
}

static void add_sequence(struct sample *s, unsigned depth);

static void add_group(struct sample *s, unsigned depth)
{
    static const char *const opens[] = {"(", "(?:", "(?>", "(?<n>", "(?i:"};
    bool is_optional = dice(2), is_left_out = is_optional && dice(2);
    struct sample other = {"", ""};
    size_t before = strlen(s->text);

    put(s->pattern, depth == 0 ? PICK(opens) : "(?:");
    add_sequence(s, depth + 1);
    if (dice(2)) {
        add_sequence(&other, depth + 1);
        put(s->pattern, "|");
        put(s->pattern, other.pattern);
        if (dice(2)) {
            s->text[before] = '\0';
            put(s->text, other.text);
        }
    }
    put(s->pattern, is_optional ? ")?" : ")");
    if (is_left_out)
        s->text[before] = '\0';
}

static void add_oddity(struct sample *s)
{
    static const struct sample oddities[] = {
        {".", "z"},
        {"\\d", "7"},
        {"[a-c]", "b"},
        {"[^]x]", "7"},
        {"[[:digit:]]+", "7"},
        {"\\w*", "ab"},
        {"(?!zzzz)", ""},
        {"(?<!q)", ""},
        {"(?=.)", ""},
        {"\\b", ""},
        {"\\Qa.b\\E", "a.b"},
        {"\\x41bc", "abc"},
        {"(?#()", ""},
        {"(?x: long er )", "longer"},
        {"(*ACCEPT)", ""},
        {"(?-i)", ""},
        {"(?i)", ""},
        {"(?x)long er", "longer"},
        {"{b}", "{b}"},
        {"\\cAb", "\001b"},
        {"[\\]a]", "]"},
        {"(a)?(?(1)b|c)", "c"},
    };
    const struct sample *odd = &PICK(oddities);

    put(s->pattern, odd->pattern);
    put(s->text, odd->text);
}

static void add_sequence(struct sample *s, unsigned depth)
{
    for (size_t left = 1 + dice(3); left > 0; left--) {
        size_t what = dice(10);

        if (what < 7)
            add_word(s);
        else if (what == 7 && depth < 2)
            add_group(s, depth);
        else
            add_oddity(s);
    }
}

static struct wb_pattern *new_pattern(char *text)
{
    struct wb_pattern *made = NULL;

    while (made == NULL) {
        struct sample s = {"", ""}, other = {"", ""};

        if (dice(6) == 0)
            put(s.pattern, "^");
        add_sequence(&s, 0);
        if (dice(5) == 0) {
            add_sequence(&other, 0);
            put(s.pattern, "|");
            put(s.pattern, other.pattern);
        }
        put(text, dice(2) && *other.text ? other.text : s.text);
        if (wb_pattern_new(s.pattern, &made, NULL) != EX_OK)
            *text = '\0';
    }
    return made;
}

/* ---- literals ---- */

/* Does folded hold all literals of one of the alternatives? */
struct claim {
    const char *folded;
    bool is_alternative_there, is_met;
};

static void check_literal(void *context, const char *text, size_t octets)
{
    struct claim *c = context;
    char literal[TEXT];

    if (text == NULL) {
        c->is_met = c->is_met || c->is_alternative_there;
        c->is_alternative_there = true;
        return;
    }
    snprintf(literal, sizeof literal, "%.*s", (int)octets, text);
    if (strstr(c->folded, literal) == NULL)
        c->is_alternative_there = false;
}

static void fold(const char *text, char *out)
{
    const unsigned char *at = (const unsigned char *)text;

    while ((*out++ = (char)wb_fold_next(&at)) != '\0')
        ;
}

static bool check_pattern(void)
{
    char text[TEXT] = "", folded[TEXT];
    struct claim claim = {folded, true, false};
    struct wb_budget b = budget;
    struct wb_pattern *pattern = new_pattern(text);
    bool matches = wb_pattern_search(pattern, text, &b) == WB_YES;

    fold(text, folded);
    if (wb_literals_each(wb_pattern_source(pattern), check_literal, &claim) &&
        matches && !claim.is_met) {
        print_error("pattern: %s\ntext: %s\n", wb_pattern_source(pattern),
                    text);
        fail();
    }
    wb_pattern_free(pattern);
    return matches;
}

/* ---- rules ---- */

struct table {
    struct wb_pool *pool;
    struct wb_rule rules[MOST_RULES];
    struct wb_rules with, without; /* the index */
    struct wb_inbound inbounds[MOST_RULES];
    struct wb_conf conf_with, conf_without;
    char texts[MOST_RULES][TEXT]; /* that some pattern is likely to match */
    size_t text_count;
};

static char *next_text(struct table *t)
{
    char *text = t->texts[t->text_count < MOST_RULES ? t->text_count++
                                                     : dice(MOST_RULES)];

    *text = '\0';
    return text;
}

static void draw_addresses(struct table *t, struct wb_addrlist *list)
{
    static const char *const forms[] = {
        "*",           "a@x.test",          "B@x.test",
        "x.test",      "y.x.test",          ".x.test",
        ".test",       "\"a b\"@x.test",    "z.test",
        "/x\\.test$/", "/^a@y|b@x\\.test/", "/./"};

    list->entries = wb_pool_array(t->pool, MOST_ENTRIES, sizeof *list->entries);
    for (size_t left = dice(4) ? dice(MOST_ENTRIES) : 0; left > 0; left--)
        assert_int_equal(wb_addrspec_parse(t->pool, PICK(forms),
                                           &list->entries[list->count++], NULL),
                         EX_OK);
}

static struct wb_strings draw_strings(struct table *t, const char *a,
                                      const char *b)
{
    const char **items = wb_pool_array(t->pool, 2, sizeof *items);
    size_t count = 0;

    if (dice(4) == 0)
        items[count++] = a;
    if (dice(4) == 0)
        items[count++] = b;
    return (struct wb_strings){items, count};
}

static void draw_clients(struct table *t, struct wb_rule *r)
{
    static const char *const networks[] = {"192.0.2.0/24", "192.0.2.7",
                                           "10.0.0.0/8",   "2001:db8::/33",
                                           "0.0.0.0/1",    "2001:db8::7"};

    if (dice(4))
        return;
    r->clients = wb_pool_array(t->pool, 2, sizeof *r->clients);
    for (r->client_count = 0; r->client_count < 1 + dice(2); r->client_count++)
        assert_int_equal(wb_network_parse(PICK(networks),
                                          &r->clients[r->client_count], NULL),
                         EX_OK);
}

static const char *const header_names[] = {"To", "Subject", "x-a"};

static void draw_rule(struct table *t, struct wb_rule *r, size_t order)
{
    *r =
        (struct wb_rule){.name = "r", .order = order, .priority = (int)dice(3)};
    draw_addresses(t, &r->recipients);
    draw_addresses(t, &r->senders);
    r->logins = draw_strings(t, "shop", "news");
    r->listeners = draw_strings(t, "in", "out");
    draw_clients(t, r);
    if (dice(2)) {
        r->header_name = PICK(header_names);
        r->header_pattern = new_pattern(next_text(t));
    }
}

static void draw_inbound(struct table *t, struct wb_inbound *in)
{
    *in = (struct wb_inbound){.name = "in",
                              .domains = draw_strings(t, "x.test", "y.x.test"),
                              .pattern = new_pattern(next_text(t)),
                              .match_on = (enum wb_match_on)dice(3)};
    if (in->match_on != WB_ON_ENVELOPE)
        in->header_name = PICK(header_names);
}

static void draw_table(struct table *t)
{
    size_t count = 1 + dice(MOST_RULES);

    t->text_count = 0;
    for (size_t i = 0; i < MOST_RULES; i++)
        t->texts[i][0] = '\0';
    for (size_t i = 0; i < count; i++) {
        draw_rule(t, &t->rules[i], i);
        draw_inbound(t, &t->inbounds[i]);
    }
    t->without = (struct wb_rules){t->rules, count, NULL};
    wb_rules_sort(&t->without);
    t->with = t->without;
    assert_true(wb_rules_index(&t->with));
    memset(&t->conf_without, 0, sizeof t->conf_without);
    t->conf_without.rules.count = count;
    t->conf_without.inbounds = t->inbounds;
    t->conf_without.inbound_count = count;
    t->conf_with = t->conf_without;
    assert_true(wb_inbounds_index(&t->conf_with));
}

static void free_table(struct table *t)
{
    for (size_t i = 0; i < t->with.count; i++) {
        wb_addrlist_free(&t->rules[i].recipients);
        wb_addrlist_free(&t->rules[i].senders);
        wb_pattern_free(t->rules[i].header_pattern);
        wb_pattern_free(t->inbounds[i].pattern);
    }
    wb_rules_index_free(&t->with);
    wb_index_free(t->conf_with.inbound_index);
    free(t->conf_with.inbound_domains);
    wb_pool_reset(t->pool);
}

/* ---- messages ---- */

static const char *draw_value(const struct table *t, struct wb_pool *p)
{
    static const char *const noise[] = {
        "",        "",  " and ",   "=?utf-8?q?w=C5=BF?= ",
        "\"N\" <", ">", ", \r\n ", "\xff"};
    char out[TEXT] = "";

    for (size_t left = dice(4); left > 0; left--) {
        put(out, PICK(noise));
        put(out, dice(2) ? PICK(words) : t->texts[dice(MOST_RULES)]);
        put(out, PICK(noise));
    }
    if (dice(20) == 0)
        out[dice(strlen(out) + 1)] = '\0';
    return wb_pool_strdup(p, out);
}

static struct wb_envelope draw_message(const struct table *t, struct wb_pool *p,
                                       struct wb_recipient *recipient)
{
    static const char *const addresses[] = {"<>",
                                            "<a@x.test>",
                                            "<b@X.test>",
                                            "<c@y.x.test>",
                                            "<a@z.test>",
                                            "<\"a b\"@x.test>",
                                            "<d@v.y.x.test>",
                                            "<postmaster>",
                                            "<e@[192.0.2.1]>",
                                            "<info@shop.x.test>"};
    static const char *const names[] = {"to", "SUBJECT", "X-A", "Other"};
    static const char *const logins[] = {NULL, "shop", "NEWS", "none"};
    static const char *const listeners[] = {NULL, "in", "out"};
    static const char *const clients[] = {
        NULL, "192.0.2.7", "192.0.2.8", "10.1.2.3", "2001:db8::7", "unknown"};
    struct wb_header *headers = wb_pool_array(p, MOST_HEADERS, sizeof *headers);
    struct wb_envelope env = {.login = PICK(logins),
                              .listener = PICK(listeners),
                              .client = PICK(clients),
                              .headers = headers};

    for (env.header_count = 0; env.header_count < dice(MOST_HEADERS + 1);
         env.header_count++)
        headers[env.header_count] =
            (struct wb_header){PICK(names), draw_value(t, p)};
    assert_int_equal(wb_address_parse(p, PICK(addresses), &env.sender, NULL),
                     EX_OK);
    do
        assert_int_equal(
            wb_address_parse(p, PICK(addresses), &recipient->address, NULL),
            EX_OK);
    while (recipient->address.domain == NULL);
    return env;
}

struct answer {
    int code;
    const void *found;
};

static struct answer ask_rules(const struct wb_rules *rules,
                               struct wb_matcher *m,
                               const struct wb_recipient *r, bool has_own)
{
    const struct wb_rule_query q = {
        .matcher = m, .recipient = r, .mta_has_own_route = has_own};
    const struct wb_rule *winner;
    int code = wb_rules_find(rules, &q, &winner, NULL);

    return (struct answer){code, code == EX_OK ? winner : NULL};
}

static struct answer ask_inbound(const struct wb_conf *conf,
                                 struct wb_matcher *m,
                                 const struct wb_recipient *r)
{
    const struct wb_inbound *found;
    enum wb_verdict v = wb_inbound_find(conf, m, &r->address, &found);

    return (struct answer){(int)v, v == WB_YES ? found : NULL};
}

static bool is_same(struct answer a, struct answer b)
{
    return a.code == b.code && a.found == b.found;
}

/* What is refused at RCPT must not be taken whatever the headers are. */
static void check_early(const struct table *t, const struct wb_envelope *env,
                        const struct wb_recipient *r, struct wb_pool *p,
                        struct answer later)
{
    struct wb_matcher m;

    assert_true(wb_matcher_begin(&m, env, &budget, HEADER_MAX_OCTETS, p));
    if (wb_inbound_find_early(&t->conf_with, &m, &r->address) == WB_NO)
        assert_int_equal(later.code, WB_NO);
}

static size_t winners;

static void ask(struct table *t, struct wb_pool *p)
{
    struct wb_recipient to[3] = {{.given = ""}};
    struct wb_matcher with, without;
    const struct wb_envelope env = draw_message(t, p, &to[0]);

    (void)draw_message(t, p, &to[1]);
    to[2] = to[0];
    assert_true(wb_matcher_begin(&with, &env, &budget, HEADER_MAX_OCTETS, p));
    assert_true(
        wb_matcher_begin(&without, &env, &budget, HEADER_MAX_OCTETS, p));
    for (size_t i = 0; i < COUNT(to); i++) {
        bool has_own = dice(4) == 0;
        struct answer a = ask_rules(&t->with, &with, &to[i], has_own);
        struct answer b = ask_rules(&t->without, &without, &to[i], has_own);
        struct answer c = ask_inbound(&t->conf_with, &with, &to[i]);
        struct answer d = ask_inbound(&t->conf_without, &without, &to[i]);

        winners += b.found != NULL;
        assert_true(is_same(a, b));
        assert_true(is_same(c, d));
        check_early(t, &env, &to[i], p, c);
    }
}

static size_t from_environment(const char *name, size_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoul(text, NULL, 10) : otherwise;
}

static size_t begin(void)
{
    size_t cases = from_environment("PROVE_CASES", DEFAULT_CASES);

    lot = from_environment("PROVE_SEED", (size_t)time(NULL)) | 1;
    print_message("PROVE_SEED=%zu PROVE_CASES=%zu\n", (size_t)lot, cases);
    return cases;
}

static void what_matches_holds_the_literals(void **state)
{
    size_t cases = begin() / 10, matched = 0;

    (void)state;
    for (size_t i = 0; i < cases; i++)
        matched += check_pattern();
    assert_in_range(matched, cases / 2, cases);
}

static void the_index_finds_what_the_loop_finds(void **state)
{
    size_t cases = begin(), asked = 0;
    static struct table t;
    struct wb_pool *p = wb_pool_new(0);

    (void)state;
    t.pool = wb_pool_new(0);
    while (asked < cases) {
        draw_table(&t);
        for (size_t i = 0; i < MESSAGES; i++, asked += 3) {
            ask(&t, p);
            wb_pool_reset(p);
        }
        free_table(&t);
    }
    /* a lot that draws only losers proves nothing */
    assert_in_range(winners, asked / 4, asked - asked / 20);
    wb_pool_free(t.pool);
    wb_pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_matches_holds_the_literals),
        cmocka_unit_test(the_index_finds_what_the_loop_finds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
