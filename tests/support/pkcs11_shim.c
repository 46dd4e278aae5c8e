/* A PKCS#11 module that stands between a process and its real module, logs what is signed, and
 * breaks as told. tests/support/pkcs11_shim.py compiles and steers it. No PKCS#11 header is
 * needed: CK_FUNCTION_LIST is a version and then pointers, in the order of the standard.
 *
 *   SHIM_MODULE   the real module
 *   SHIM_LOG      each input of a signature, in hex, is a line of this file before it is signed
 *   SHIM_CONTROL  lines of "FUNCTION FIRST LAST ACTION VALUE", read again at each call. Calls are
 *                 counted from 1 since the file changed; LAST 0 means for ever. Actions: return
 *                 VALUE instead of calling, sleep VALUE milliseconds first, kill the process
 *                 "before" or "after" the call, or "lose" the answer: call, then return VALUE.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef unsigned long ul;
typedef ul (*any_call)();
struct function_list {
    unsigned char version[2];
    any_call call[68];
};
enum {
    GET_FUNCTION_LIST = 3,
    SET_PIN = 11,
    OPEN_SESSION = 12,
    LOGIN = 18,
    ENCRYPT_INIT = 29,
    DECRYPT_INIT = 33,
    SIGN_INIT = 42,
    SIGN = 43
};
#define KILL 1 /* CKR_CANCEL, which nothing is told to return */

static struct function_list *real, ours;
static char control[4096];
static int calls[68];

static void read_control(void) {
    static char fresh[sizeof control];
    FILE *file = fopen(getenv("SHIM_CONTROL"), "r");
    size_t length = file ? fread(fresh, 1, sizeof fresh - 1, file) : 0;
    if (file) fclose(file);
    fresh[length] = 0;
    if (strcmp(fresh, control)) {
        strcpy(control, fresh);
        memset(calls, 0, sizeof calls);
    }
}

static void kill_process(void) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Obeys the control file; 0, or what to return instead of calling. *after: what to return after
 * the call, whatever came of it, or KILL. */
static ul obey(int which, const char *name, ul *after) {
    char function[32], action[16], *line = control;
    ul value;
    int first, last, number;
    *after = 0;
    read_control();
    number = ++calls[which];
    for (; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : line) {
        if (sscanf(line, "%31s %d %d %15s %li", function, &first, &last, action, &value) != 5)
            continue;
        if (strcmp(function, name) || number < first || (last && number > last)) continue;
        if (!strcmp(action, "return")) return value;
        if (!strcmp(action, "before")) kill_process();
        if (!strcmp(action, "after")) *after = KILL;
        if (!strcmp(action, "lose")) *after = value;
        if (!strcmp(action, "sleep")) {
            struct timespec pause_for = {value / 1000, value % 1000 * 1000000};
            nanosleep(&pause_for, NULL);
        }
    }
    return 0;
}

static ul finish(ul answer, ul after) {
    if (after == KILL) kill_process();
    return after ? after : answer;
}

static void log_input(const unsigned char *data, ul length) {
    char line[2 * 1024 + 2];
    ul i, shown = length < 1024 ? length : 1024;
    int file = open(getenv("SHIM_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0600);
    for (i = 0; i < shown; i++) sprintf(line + 2 * i, "%02x", data[i]);
    line[2 * shown] = '\n';
    if (write(file, line, 2 * shown + 1) < 0) abort();
    close(file);
}

static ul sign(ul session, unsigned char *data, ul length, unsigned char *signature, ul *octets) {
    ul after, answer;
    if (!signature) return real->call[SIGN](session, data, length, signature, octets);
    if ((answer = obey(SIGN, "C_Sign", &after))) return answer;
    log_input(data, length);
    return finish(real->call[SIGN](session, data, length, signature, octets), after);
}

#define FORWARD(NAME, WHICH, NAMED, PARAMETERS, ARGUMENTS)                                         \
    static ul NAME PARAMETERS {                                                                    \
        ul after, answer = obey(WHICH, NAMED, &after);                                             \
        return answer ? answer : finish(real->call[WHICH] ARGUMENTS, after);                       \
    }
FORWARD(open_session, OPEN_SESSION, "C_OpenSession",
        (ul slot, ul flags, void *application, void *notify, ul *session),
        (slot, flags, application, notify, session))
FORWARD(set_pin, SET_PIN, "C_SetPIN",
        (ul session, unsigned char *old, ul old_length, unsigned char *fresh, ul length),
        (session, old, old_length, fresh, length))
FORWARD(login, LOGIN, "C_Login", (ul session, ul user, unsigned char *pin, ul length),
        (session, user, pin, length))
FORWARD(encrypt_init, ENCRYPT_INIT, "C_EncryptInit", (ul session, void *mechanism, ul key),
        (session, mechanism, key))
FORWARD(decrypt_init, DECRYPT_INIT, "C_DecryptInit", (ul session, void *mechanism, ul key),
        (session, mechanism, key))
FORWARD(sign_init, SIGN_INIT, "C_SignInit", (ul session, void *mechanism, ul key),
        (session, mechanism, key))

ul C_GetFunctionList(struct function_list **list) {
    if (!real) {
        void *module = dlopen(getenv("SHIM_MODULE"), RTLD_NOW);
        any_call get = module ? (any_call)dlsym(module, "C_GetFunctionList") : NULL;
        if (!get || get(&real)) return 0x5; /* CKR_GENERAL_ERROR */
        ours = *real;
        ours.call[GET_FUNCTION_LIST] = (any_call)C_GetFunctionList;
        ours.call[OPEN_SESSION] = (any_call)open_session;
        ours.call[SET_PIN] = (any_call)set_pin;
        ours.call[LOGIN] = (any_call)login;
        ours.call[ENCRYPT_INIT] = (any_call)encrypt_init;
        ours.call[DECRYPT_INIT] = (any_call)decrypt_init;
        ours.call[SIGN_INIT] = (any_call)sign_init;
        ours.call[SIGN] = (any_call)sign;
    }
    *list = &ours;
    return 0;
}
