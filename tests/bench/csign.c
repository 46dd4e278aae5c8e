/* CPU and wall seconds of a signature in C alone: C_SignInit and C_Sign in a loop, with locks on.
 *
 *   csign MODULE TOKEN-LABEL PIN-FILE KEY-LABEL MECHANISM OCTETS TIMES
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef unsigned long ul;
typedef ul (*any_call)();
struct function_list {
    unsigned char version[2];
    any_call call[68];
};
enum {
    INITIALIZE = 0, GET_SLOT_LIST = 4, GET_TOKEN_INFO = 6, OPEN_SESSION = 12, LOGIN = 18,
    FIND_INIT = 26, FIND = 27, FIND_FINAL = 28, SIGN_INIT = 42, SIGN = 43
};
struct attribute { ul type; void *value; ul length; };
struct mechanism { ul type; void *parameter; ul length; };
struct arguments { void *mutexes[4]; ul flags; void *reserved; };

static struct function_list *list;

static void must(ul answer, const char *what) {
    if (!answer) return;
    fprintf(stderr, "%s: %#lx\n", what, answer);
    exit(1);
}

static ul slot_of(const char *label) {
    ul slots[64], count = 64, i;
    must(list->call[GET_SLOT_LIST](1, slots, &count), "C_GetSlotList");
    for (i = 0; i < count; i++) {
        union { char label[32]; char whole[1024]; } info; /* CK_TOKEN_INFO begins with its label */
        must(list->call[GET_TOKEN_INFO](slots[i], &info), "C_GetTokenInfo");
        if (!strncmp(info.label, label, strlen(label)) && info.label[strlen(label)] == ' ')
            return slots[i];
    }
    must(1, label);
    return 0;
}

int main(int count, char **words) {
    struct arguments locked = {{0}, 2, 0};
    ul session, key, found, class = 3, i, times, octets, length;
    char pin[128] = "";
    unsigned char input[512] = {0}, signature[1024];
    struct timespec began[2], ended[2];
    if (count != 8) return 2;
    void *module = dlopen(words[1], RTLD_NOW);
    any_call get = module ? (any_call)dlsym(module, "C_GetFunctionList") : NULL;
    must(get ? get(&list) : 1, words[1]);
    must(list->call[INITIALIZE](&locked), "C_Initialize");
    FILE *file = fopen(words[3], "r");
    if (!file || !fgets(pin, sizeof pin, file)) must(1, words[3]);
    must(list->call[OPEN_SESSION](slot_of(words[2]), 4UL, NULL, NULL, &session), "C_OpenSession");
    must(list->call[LOGIN](session, 1UL, pin, (ul)strlen(pin)), "C_Login");
    struct attribute wanted[2] = {{0, &class, sizeof class}, {3, words[4], strlen(words[4])}};
    must(list->call[FIND_INIT](session, wanted, 2UL), "C_FindObjectsInit");
    must(list->call[FIND](session, &key, 1UL, &found), "C_FindObjects");
    must(found != 1, words[4]);
    must(list->call[FIND_FINAL](session), "C_FindObjectsFinal");
    struct mechanism how = {strtoul(words[5], NULL, 0), NULL, 0};
    octets = strtoul(words[6], NULL, 0);
    times = strtoul(words[7], NULL, 0);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &began[0]);
    clock_gettime(CLOCK_MONOTONIC, &began[1]);
    for (i = 0; i < times; i++) {
        input[octets - 1] = (unsigned char)i;
        length = sizeof signature;
        must(list->call[SIGN_INIT](session, &how, key), "C_SignInit");
        must(list->call[SIGN](session, input, octets, signature, &length), "C_Sign");
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended[0]);
    clock_gettime(CLOCK_MONOTONIC, &ended[1]);
    for (i = 0; i < 2; i++)
        printf("%.9f\n", ((double)(ended[i].tv_sec - began[i].tv_sec) +
                          (double)(ended[i].tv_nsec - began[i].tv_nsec) / 1e9) / (double)times);
    return 0;
}
