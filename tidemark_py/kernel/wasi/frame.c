/* wasi/frame: the imports tidemark.frame_open and tidemark.input_open (capability "frames"): a frame device, the
 * framebuffer (device FRAME_SCREEN_CHANNEL) or an input device as a descriptor, whatever directories the module was given.
 * What is written and read there is as for every guest: fd_write of a frame_head and its bytes is one frame. */
#include "wasi.h"

#define INPUT_DEVICES 2u

static i64 device_open(const char *path, u32 flags, u32 opened) {
  const struct fs_context *fs = caller_fs();
  struct path_at at = {.at = fs->root, .at_mount = fs->root_mount, .at_path = "/", .path = path};
  struct ofd *f;
  if (access_prepare(opened, 4, ACCESS_W)) return -EFAULT;
  if (!fd_has_room(current->process->fds, fd_limit())) return -EMFILE;
  int r = file_open(fs, caller(), &at, flags, 0, &f);
  if (r) return r;
  int made = fd_install(current->process->fds, f, 0, fd_limit(), true);
  struct wasi_fd *w = made < 0 ? NULL : wasi_fd_make(made);
  if (!w) {
    if (made < 0) ofd_put(f);
    else fd_close(current->process->fds, made);
    return made < 0 ? made : -ENOMEM;
  }
  *w = (struct wasi_fd){0};
  return wasi_out32(opened, (u32)made);
}

i64 wasi_do_frame_open(u32 device, u32 opened) {
  char path[24];
  if (device > FRAME_SCREEN_CHANNEL) return -ENODEV;
  if (device == FRAME_SCREEN_CHANNEL) return device_open("/dev/fb0", O_RDWR, opened);
  ksnprintf(path, sizeof path, "/dev/frame%u", device);
  return device_open(path, O_WRONLY, opened);
}

i64 wasi_do_input_open(u32 device, u32 opened) {
  char path[24];
  if (device >= INPUT_DEVICES) return -ENODEV;
  ksnprintf(path, sizeof path, "/dev/input/event%u", device);
  return device_open(path, O_RDONLY, opened);
}
