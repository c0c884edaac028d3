/* codec_yaml.c - `startbox codec yaml`: a JSON document in, the same as YAML out. */
#include "cli/codec.h"
#include "protocols/json.h"
#include "protocols/yaml.h"

int codec_yaml(struct codec_run *run) {
    struct err e = ERR_INIT;
    struct val doc = val_none;
    bool good = codec_document(run, &doc, &e) && yaml_write(&run->out, &doc, &e);
    val_unref(&doc);
    return good ? 0 : codec_fail("yaml", &e);
}
