/* A configuration with something of everything that decides. */
#ifndef WB_FUZZ_WORLD_H
#define WB_FUZZ_WORLD_H

#include "conf/conf.h"
#include "tests/fuzz/folder.h"

static const char world_text[] =
    "secret_file = \"secret\"\n"
    "user = \"\"\n"
    "relayhosts = { \"[192.0.2.25]:587\" }\n"
    "networks = { \"127.0.0.0/8\", \"198.51.100.0/24\" }\n"
    "match_limit = 10000\n"
    "listener relay { class = outbound }\n"
    "listener mx { class = inbound }\n"
    "webhook crm { url = \"https://app.example.com/hook\" }\n"
    "route docomo { host = \"smtp.docomo.test\" }\n"
    "route bulk { host = \"smtp.bulk.test\" }\n"
    "route kept { host = \"smtp.kept.test\"  return_path = keep }\n"
    "route shop { host = \"smtp.shop.test\"  from = \"Shop <s@shop.test>\" }\n"
    "route small { host = \"smtp.small.test\"  max_size_kb = 1 }\n"
    "rule mobile { priority = 10  recipients = { \"docomo.ne.jp\" }"
    "  route = docomo }\n"
    "rule welcome { priority = 20  header = { \"X-Scenario\", '^w(el)+come' }"
    "  route = shop }\n"
    "rule login { priority = 20  logins = { \"shop\" }  route = shop }\n"
    "rule host { priority = 20  clients = { \"198.51.100.9\" }"
    "  route = kept }\n"
    "rule door { priority = 20  listeners = { \"relay\" }  route = docomo }\n"
    "rule regex { priority = 30  recipients = { \"/^(a+)+@r[.]test$/\" }"
    "  route = kept }\n"
    "rule small { priority = 50  recipients = { \".small.test\" }"
    "  route = small }\n"
    "rule plain { priority = 60  recipients = { \"plain.test\" }"
    "  route = direct }\n"
    "rule everything { priority = 100  route = bulk }\n"
    "return_path main { senders = { \"example.com\" }"
    "  domain = \"return.example.com\" }\n"
    "return_path srs { senders = { \"srs.test\" }  mode = srs"
    "  domain = \"signed.example.com\" }\n"
    "return_path verp { senders = { \"verp.test\" }  mode = verp"
    "  domain = \"signed.example.com\" }\n"
    "return_path batv { senders = { \".batv.test\" }  mode = batv"
    "  domain = \"b.%d\" }\n"
    "return_path long { senders = { \"long.test\" }  mode = srs"
    "  domain = \"signed.example.com\"  overflow = plain }\n"
    "inbound mailform { domains = { \"mailform.example.com\" }"
    "  match = 'info@mailform\\.example\\.com'  webhook = crm }\n"
    "inbound both { domains = { \"both.example.com\" }"
    "  match = '^a@'  match_on = either  webhook = crm }\n"
    "bounces { domains = { \"return.example.com\", \"signed.example.com\","
    " \"b.shop.batv.test\" }  deliver = sender  replies = webhook"
    "  webhook = crm }\n";

/* Its secret is the test's. Kept to the end of the process. */
static const struct wb_conf *world(void)
{
    static const char key[] = "0123456789abcdef0123456789abcdef\n";
    static struct wb_conf *conf;
    struct wb_problems problems = {.count = 0};

    if (conf != NULL)
        return conf;
    folder_make();
    folder_write("secret", key, strlen(key));
    folder_write("waybill.conf", world_text, strlen(world_text));
    wb_conf_load(folder_path("waybill.conf"), WB_USE_DAEMON, &conf, &problems);
    wb_problems_print(&problems, stderr);
    wb_problems_free(&problems);
    folder_remove();
    PROMISE(conf != NULL);
    return conf;
}

#endif
