# Made by waybill 0.1.0 (waybill maps, waybill apply) from /TMP/conf/waybill.conf.
# Do not edit: the next apply writes it anew.
divert(0)dnl
ifelse(defn(`_DPO_'), `', `DAEMON_OPTIONS(`Name=MTA')')dnl
DAEMON_OPTIONS(`Name=waybill-loopback, Family=inet, Addr=127.0.0.1, Port=10028, InputMailFilters=waybill')dnl
DAEMON_OPTIONS(`Name=waybill-again, Family=inet, Addr=127.0.0.1, Port=10029, InputMailFilters=waybill')dnl
INPUT_MAIL_FILTER(`waybill', `S=unix:/run/waybill/milter.sock, F=T, T=C:30s;S:30s;R:1m;E:5m')dnl
ifelse(index(defn(`_REC_TLS_'), `$?u'), `-1', `', index(defn(`_REC_END_'), `$.$b'), `-1', `',
`define(`_REC_TLS_', patsubst(defn(`_REC_TLS_'), `\$\?u$', `$?{wbMarked}; $|$?u'))define(`_REC_END_', patsubst(defn(`_REC_END_'), `\$\.\$b', `$.$.$b'))')dnl
LOCAL_CONFIG
# waybill: its tables, and the domains whose mail it takes in
Kwbmail hash /TMP/etc/waybill/mailertable
Kwbauth hash /TMP/etc/waybill/authinfo
Kwbtls hash /TMP/etc/waybill/tls
Kwbdequote dequote
Kwbset macro
CPwaybill.invalid
MAILER_DEFINITIONS
# waybill: a recipient without its mark
SWbEnvTo
R$+ < @ x . $- . $- . waybill . invalid . > $*	$: $>canonify $(wbdequote $1 $)
R$+ < @ $+ . $- . $- . waybill . invalid . > $*	$: $1 < @ $2 . > $5
R$*	$: $>EnvToSMTP $1

Mwb-hop, P=[IPC], F=mDFMuXa8k, S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP/HdrFromSMTP, E=\r\n, L=2040, T=DNS/RFC822/SMTP,
	A=TCP [127.0.0.1] 10028
Mwb-again, P=[IPC], F=mDFMuXa8k, S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP/HdrFromSMTP, E=\r\n, L=2040, T=DNS/RFC822/SMTP, r=1,
	A=TCP [127.0.0.1] 10029
LOCAL_RULE_0
divert(96)undivert(3)divert(3)dnl
# waybill: the login of a route
Sauthinfo
R$*	$: $1 $| <$(wbauth Route:$&h $: ? $)>
R$* $| <?>	$: $1
R$* $| <none>	$@ no
R$* $| <$+>	$# $2
# waybill: the certificate of a route
Stls_clt_features
R$*	$: $1 $| $(wbtls $&h $: ? $)
R$* $| $* | $+	$@ $3
R$* $| must $*	$@ ""
R$* $| $*	$: $1
# waybill: where a marked recipient goes
SParseLocal
R$+ < @ $+ . $- . $- . waybill . invalid . > $*	$: <$(wbmail .$3.$4.waybill.invalid $: ? $)> $1 < @ $2 . $3 . $4 . waybill . invalid . > $5
R<?> $+ < @ $+ . $- . waybill . invalid . > $*	$: <$(wbmail .$3.waybill.invalid $: ? $)> $1 < @ $2 . $3 . waybill . invalid . > $4
R<gone> $*	$#error $@ 4.3.5 $: "451 4.3.5 this route is not configured any more"
R<$- : $+> $+	$# $1 $@ $2 $: $3
R$* waybill . invalid $*	$#error $@ 5.1.2 $: "550 5.1.2 no such route"
R$+ < @ $={WbOwn} . > $*	$# wb-hop $@ [own] $: $1 < @ $2 . > $3
R$+ < @ $+ > $*	$: <$&{addr_type} $| $(wbtls $&h $: ? $) $| $&_> $1 < @ $2 > $3
R<e r $| ? $| localhost> $+	$# wb-hop $@ [hop] $: $1
R<e r $| ? $| $*> $+	$: $2
R<e r $| $+ $| $*> $+	$# wb-hop $@ [hop] $: $3
R<$*> $+	$: $2
undivert(96)dnl
LOCAL_RULESETS
divert(97)undivert(9)divert(9)dnl
# waybill: the mark is not for clients
SWbCheckRcpt
R$*	$: $&{daemon_name} $| $>canonify $1
Rwaybill-again $| $+	$: $(wbset {wbMarked} $@ 1 $) waybill-again $| $1
Rwaybill-loopback $| $+ . $- . waybill . invalid $*	$: $(wbmail .$2.waybill.invalid $: ? $)
Rwaybill-again $| $+ . again . $- . waybill . invalid $*	$: $(wbmail .again.$2.waybill.invalid $: ? $)
Rwaybill-again $| $*	$#error $@ 5.1.2 $: "550 5.1.2 only second passes come this way"
Rgone	$#OK
Rwb-again : $*	$#OK
R$* $| $* waybill . invalid $*	$#error $@ 5.1.2 $: "550 5.1.2 no such domain"
R?	$#error $@ 5.1.2 $: "550 5.1.2 no such domain"
Rwaybill-loopback $| $* < @ $={WbOwn} $* > $*	$#OK
R$* $| $* < @ $={WbOwn} . > $*	$#OK
R$* $| $* < @ $={WbOwn} > $*	$#OK
SLocal_check_rcpt
R$*	$: $1 $| $>WbCheckRcpt $1
R$* $| $#$*	$#$2
R$* $| $*	$: $1
# waybill: TLS or none, by route
LOCAL_TRY_TLS
R$*	$: $1 $| $(wbtls $&h $: ? $)
R$* $| none	$#error $@ 5.7.1 $: "550 no TLS on this route"
R$* $| $*	$: $1
SWbName
R/ $={cert_altnames} / $*	$@ OK
R/ $+ / $+	$@ $>WbName / $2
SWbTls
R$*	$: $(wbtls $&h $: ? $) $| $1
R?$*	$@ ?
R$*	$: $1 $(wbset {auth_type} $@ none $)
Rmust $+ | $* $| OK	$: must $1 $| OK
Rmust $+ $| OK	$: <$>WbName $1>
R<OK>	$@ OK
R<$*>	$#error $@ 4.7.5 $: "454 4.7.5 the certificate of the relay has another name"
Rmust $*	$#error $@ 4.7.5 $: "454 4.7.5 verified TLS is required, verify=" $&{verify}
R$*	$@ OK
LOCAL_TLS_SERVER
R$*	$: $1 $| $>WbTls $1
R$* $| $#$*	$#$2
R$* $| OK	$#OK
R$* $| $*	$: $1
# waybill: without its login the relay would refuse the mail for good
LOCAL_TLS_RCPT
R$*	$: $1 $| <$(wbauth Route:$&h $: none $)> <$&{auth_type}>
R$* $| <none> <$*>	$: $1
R$* $| <$+> <none>	$#error $@ 4.7.0 $: "454 4.7.0 the login at the relay failed"
R$* $| $*	$: $1
divert(9)undivert(97)divert(0)dnl
