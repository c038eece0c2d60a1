#include "unit.h"

#include "match/criteria.h"

static uint64_t still_clock(void)
{
    return 0;
}

static struct wb_budget a_budget(void)
{
    return (struct wb_budget){
        .match_limit = 100000, .limit_ns = 1, .clock_ns = still_clock};
}

static const struct {
    const char *why;
    const char *entry;
    const char *address;
    enum wb_specificity named;
} rows[] = {
    {"anything", "*", "a@b.test", WB_NAMED_ANY},
    {"null sender is anything", "*", "<>", WB_NAMED_ANY},
    {"address", "a@b.test", "a@b.test", WB_NAMED_ADDRESS},
    {"address, case", "Info@B.test", "iNFO@b.TEST", WB_NAMED_ADDRESS},
    {"address, quoted alike", "\"a\"@b.test", "a@b.test", WB_NAMED_ADDRESS},
    {"address, quoted", "\"a b\"@b.test", "<\"a b\"@b.test>", WB_NAMED_ADDRESS},
    {"other local part", "a@b.test", "aa@b.test", WB_NAMED_NOT},
    {"shorter local part", "aa@b.test", "a@b.test", WB_NAMED_NOT},
    {"domain", "b.test", "a@b.test", WB_NAMED_DOMAIN},
    {"domain is not its subdomains", "b.test", "a@x.b.test", WB_NAMED_NOT},
    {"domain is not a tail", "b.test", "a@ab.test", WB_NAMED_NOT},
    {"subdomains", ".b.test", "a@x.b.test", WB_NAMED_SUBDOMAIN},
    {"deep subdomains", ".b.test", "a@y.x.b.test", WB_NAMED_SUBDOMAIN},
    {"subdomains are not the domain", ".b.test", "a@b.test", WB_NAMED_NOT},
    {"subdomains end at a label", ".b.test", "a@ab.test", WB_NAMED_NOT},
    {"null sender has no domain", "b.test", "<>", WB_NAMED_NOT},
    {"bare postmaster has no domain", "b.test", "postmaster", WB_NAMED_NOT},
    {"regex", "/^a@/", "a@b.test", WB_NAMED_REGEX},
    {"regex ignores case", "/^A@B/", "a@b.test", WB_NAMED_REGEX},
    {"regex may mind it", "/(?-i)^A@/", "a@b.test", WB_NAMED_NOT},
    {"regex searches", "/b\\.te/", "a@b.test", WB_NAMED_REGEX},
    {"regex on the null sender", "/^$/", "<>", WB_NAMED_REGEX},
    {"literal", "a@[192.0.2.1]", "<a@[192.0.2.1]>", WB_NAMED_ADDRESS},
};

static void entries_name_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wb_pool *p = wb_pool_new(0);
        struct wb_budget budget = a_budget();
        struct wb_addrspec spec;
        struct wb_addrlist list = {&spec, 1};
        struct wb_address address;
        enum wb_specificity named;
        enum wb_verdict v;
        struct wb_err err;

        ROW_TRUE(&rows[i],
                 wb_addrspec_parse(p, rows[i].entry, &spec, &err) == EX_OK);
        ROW_TRUE(&rows[i],
                 wb_address_parse(p, rows[i].address, &address, &err) == EX_OK);
        v = wb_addrlist_names(&list, &address, &budget, &named, NULL);
        ROW_TRUE(&rows[i], named == rows[i].named);
        ROW_TRUE(&rows[i], (v == WB_YES) == (named != WB_NAMED_NOT));
        wb_addrlist_free(&list);
        wb_pool_free(p);
    }
}

static void closest_entry_wins(void **state)
{
    static const char *const texts[] = {"*",       "/a@/",   ".test",
                                        ".b.test", "b.test", "a@b.test"};
    struct wb_pool *p = wb_pool_new(0);
    struct wb_budget budget = a_budget();
    struct wb_addrspec specs[COUNT(texts)];
    struct wb_addrlist list = {specs, COUNT(texts)};
    const struct wb_addrspec *entry;
    struct wb_address address;
    enum wb_specificity named;
    struct wb_err err;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        assert_int_equal(wb_addrspec_parse(p, texts[i], &specs[i], &err),
                         EX_OK);
    wb_address_parse(p, "a@x.b.test", &address, &err);
    wb_addrlist_names(&list, &address, &budget, &named, &entry);
    assert_string_equal(entry->text, "b.test");
    assert_int_equal(named, WB_NAMED_SUBDOMAIN);
    wb_address_parse(p, "a@b.test", &address, &err);
    wb_addrlist_names(&list, &address, &budget, &named, &entry);
    assert_int_equal(named, WB_NAMED_ADDRESS);
    list.count = 0;
    assert_int_equal(
        wb_addrlist_names(&list, &address, &budget, &named, &entry), WB_YES);
    assert_int_equal(named, WB_NAMED_ANY);
    assert_null(entry);
    list.count = COUNT(texts);
    wb_addrlist_free(&list);
    wb_pool_free(p);
}

static const struct {
    const char *why;
    const char *text;
} bad_entries[] = {
    {"empty", ""},
    {"only a dot", "."},
    {"no closing slash", "/abc"},
    {"only a slash", "/"},
    {"empty regex", "//"},
    {"broken regex", "/(/"},
    {"no local part", "@b.test"},
    {"no domain", "a@"},
    {"space", "b test"},
    {"two dots", "b..test"},
    {"wildcard inside", "*.b.test"},
};

static void bad_entries_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_entries); i++) {
        struct wb_pool *p = wb_pool_new(0);
        struct wb_addrspec spec;
        struct wb_err err = {""};

        ROW_TRUE(&bad_entries[i], wb_addrspec_parse(p, bad_entries[i].text,
                                                    &spec, &err) == EX_DATAERR);
        ROW_TRUE(&bad_entries[i], *err.text != '\0');
        wb_pool_free(p);
    }
}

static const struct {
    const char *why;
    const char *network;
    const char *client;
    bool holds;
} networks[] = {
    {"v4 inside", "192.0.2.0/24", "192.0.2.255", true},
    {"v4 outside", "192.0.2.0/24", "192.0.3.0", false},
    {"odd prefix inside", "192.0.2.64/27", "192.0.2.95", true},
    {"odd prefix outside", "192.0.2.64/27", "192.0.2.96", false},
    {"one address", "192.0.2.1", "192.0.2.1", true},
    {"one other address", "192.0.2.1", "192.0.2.2", false},
    {"all of v4", "0.0.0.0/0", "198.51.100.7", true},
    {"all of v4 has no v6", "0.0.0.0/0", "2001:db8::1", false},
    {"v4 in v6 clothes", "192.0.2.0/24", "::ffff:192.0.2.9", true},
    {"v6 inside", "2001:db8::/33", "2001:db8:7fff::1", true},
    {"v6 outside", "2001:db8::/33", "2001:db8:8000::1", false},
    {"brackets", "[::1]/128", "::1", true},
    {"client is a name", "0.0.0.0/0", "localhost", false},
    {"client is empty", "0.0.0.0/0", "", false},
    {"no client", "0.0.0.0/0", NULL, false},
};

static void networks_hold_clients(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(networks); i++) {
        struct wb_network n;
        struct wb_err err;

        ROW_TRUE(&networks[i],
                 wb_network_parse(networks[i].network, &n, &err) == EX_OK);
        ROW_TRUE(&networks[i], wb_networks_hold(&n, 1, networks[i].client) ==
                                   networks[i].holds);
    }
    assert_false(wb_networks_hold(NULL, 0, "192.0.2.1"));
}

static void bad_networks_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "x",
        "192.0.2.1/24",
        "192.0.2.0/33",
        "192.0.2/24",
        "::/129",
        "192.0.2.0/",
        "192.0.2.0/-1",
        "::1/64",
        "192.0.2.0/8x",
        "[192.0.2.0",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct wb_network n;
        struct wb_err err = {""};

        if (wb_network_parse(bad[i], &n, &err) != EX_DATAERR)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_true(*err.text != '\0');
    }
}

static uint64_t ticks;

static uint64_t ticking_clock(void)
{
    return ticks += 10;
}

static void limits_are_no_answer(void **state)
{
    struct wb_pattern *evil;
    struct wb_budget budget = a_budget();
    struct wb_err err;

    (void)state;
    assert_int_equal(wb_pattern_new("(a+)+$", &evil, &err), EX_OK);
    assert_int_equal(
        wb_pattern_search(evil, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
                          &budget),
        WB_RETRY);
    assert_int_equal(wb_pattern_search(evil, "aaa", &budget), WB_YES);
    assert_int_equal(wb_pattern_search(evil, "b", &budget), WB_NO);
    budget.clock_ns = ticking_clock;
    budget.limit_ns = 15;
    assert_int_equal(wb_pattern_search(evil, "aaa", &budget), WB_YES);
    assert_int_equal(wb_pattern_search(evil, "aaa", &budget), WB_YES);
    assert_int_equal(wb_pattern_search(evil, "aaa", &budget), WB_RETRY);
    wb_pattern_free(evil);
    wb_pattern_free(NULL);
}

static void patterns_survive_octets_that_are_not_utf8(void **state)
{
    struct wb_pattern *pattern;
    struct wb_budget budget = a_budget();
    struct wb_err err;

    (void)state;
    assert_int_equal(wb_pattern_new("info@", &pattern, &err), EX_OK);
    assert_int_equal(wb_pattern_search(pattern, "\xff\xfe info@x", &budget),
                     WB_YES);
    assert_int_equal(wb_pattern_search(pattern, "\xff\xfe", &budget), WB_NO);
    assert_int_equal(wb_pattern_is_whole(pattern, "info@", &budget), WB_YES);
    assert_int_equal(wb_pattern_is_whole(pattern, "info@x", &budget), WB_NO);
    wb_pattern_free(pattern);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_name_addresses),
        cmocka_unit_test(closest_entry_wins),
        cmocka_unit_test(bad_entries_are_refused),
        cmocka_unit_test(networks_hold_clients),
        cmocka_unit_test(bad_networks_are_refused),
        cmocka_unit_test(limits_are_no_answer),
        cmocka_unit_test(patterns_survive_octets_that_are_not_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
