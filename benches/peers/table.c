/* The peers. One whose library is missing is not linked, and NULL. */
#include "../bench.h"

#include <string.h>

extern const struct peer blocking, libsock, libsock_steps, poll_idiom, rcvtimeo, rust;
extern const struct peer apr __attribute__((weak)), glib __attribute__((weak)), nspr __attribute__((weak));

const struct peer *const peers[PEERS] = {
    &blocking, &libsock, &rcvtimeo, &poll_idiom, &apr, &glib, &nspr, &rust,
};

const struct peer *peer_named(const char *name)
{
    for (int i = 0; i < PEERS; i++)
        if (peers[i] && strcmp(peers[i]->name, name) == 0)
            return peers[i];
    return strcmp(libsock_steps.name, name) == 0 ? &libsock_steps : NULL;
}
