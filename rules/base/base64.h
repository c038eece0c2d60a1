/* Base64 (RFC 4648, 4): what its readers share. */
#ifndef WB_BASE_BASE64_H
#define WB_BASE_BASE64_H

/* What c stands for, 0 to 63; -1 if it is no digit, as "=" is none. */
int wb_base64_digit(char c);

#endif
