// @ts-check
/**
 * Owns: files, pipes and terminals of the kernel as streams and mounts of Pyodide's own file system (Emscripten's FS), by
 * system calls of the attached process. Callers: tidemark_py/host/attached.py; Emscripten, through the operations it asks for.
 *
 * Nothing is copied or remembered: a name is looked up in the kernel each time, a stream is a descriptor of the kernel whose
 * position the kernel keeps (children share it), and what the guests change is seen at once. Blocking reads wait in the
 * kernel where this thread may wait; else they answer EAGAIN and Python waits (shims/os.py).
 * Missing: shared memory maps (a map is a copy, written back by msync and munmap, as Emscripten's other file systems do it).
 */
import { ERRNO, GUEST_DIRENT64, GUEST_POLLFD, GUEST_STAT, GUEST_STATFS, GUEST_WINSIZE, LINUX, STAGING_BYTES, SYSCALL } from "./gen/abi.js";

const PATH_MAX = 4096;
const OWN_DEVICES = 0x1000; // st_dev of kernel files begins here: never one of Emscripten's
const TERMIOS_BYTES = 36;
const TERMIOS_CC = 17; // offset of c_cc, and how many
const TERMIOS_CCS = 19;

/** What streams duplicated from one another share: a descriptor of the kernel. */
class Description {
  /** @param {KernelFS} fs @param {number} fd @param {number} flags @param {boolean} regular */
  constructor(fs, fd, flags, regular) {
    this.folder = false; // Emscripten counts a directory's entries in its own way
    this.fs = fs;
    this.fd = fd;
    this.regular = regular;
    this.refs = 1;
    this.now = flags;
    this.at = 0;
  }
  get flags() {
    return this.now;
  }
  set flags(flags) {
    const changed = (flags ^ this.now) & (LINUX.O_NONBLOCK | LINUX.O_APPEND);
    this.now = flags;
    if (changed) this.fs.kernel.attempt(SYSCALL.fcntl, this.fd, LINUX.F_SETFL, flags);
  }
  /** Emscripten asks before every read and write, and sets it after those without a position of their own. */
  get position() {
    if (!this.regular) return this.at;
    this.at = this.fs.kernel.attempt(SYSCALL.lseek, this.fd, 0, LINUX.SEEK_CUR);
    return Math.max(this.at, 0);
  }
  set position(to) {
    if (!this.regular) this.at = this.folder ? to : 0;
    else if (to !== this.at) this.fs.kernel.attempt(SYSCALL.lseek, this.fd, to, LINUX.SEEK_SET);
  }
}

export class KernelFS {
  /**
   * @param {any} FS Emscripten's @param {import("./attach.js").Attached} kernel
   * @param {Record<number, number>} errnos Linux' number -> Emscripten's
   */
  constructor(FS, kernel, errnos) {
    this.FS = FS;
    this.kernel = kernel;
    this.errnos = errnos;
    this.closed = false;
    this.pathA = kernel.half + 0x1000;
    this.pathB = this.pathA + PATH_MAX;
    this.record = this.pathB + PATH_MAX;
    this.data = kernel.half + 0x10000;
    this.room = STAGING_BYTES - this.data;
    /** Guest paths on which something is mounted: these nodes must stay the same. @type {Map<string, any>} */
    this.pins = new Map();
    /** Mounts of others that lost their directory. @type {any[]} */
    this.hung = [];
    /** mount point here -> path in the guests' tree @type {Map<string, string>} */
    this.mounts = new Map();
    this.node_ops = this.nodeOps();
    this.stream_ops = this.streamOps();
    /** @type {[any, string, any][]} what was replaced in FS */
    this.replaced = [];
  }

  // ---- plumbing ----

  /** @param {number} linux positive */
  error(linux) {
    return new this.FS.ErrnoError(this.errnos[linux] ?? this.errnos[ERRNO.EIO]);
  }
  /** The result; throws Emscripten's error. @param {number} nr @param {number[]} a */
  call(nr, ...a) {
    if (this.closed) throw this.error(ERRNO.EIO);
    let n;
    try {
      n = this.kernel.call(nr, ...a);
    } catch (e) {
      this.kernel.instance?.crashed(e);
      throw this.error(ERRNO.EIO);
    }
    if (n < 0) throw this.error(-n);
    return n;
  }
  /** @param {string} path @param {number} [at] */
  path(path, at = this.pathA) {
    if (this.kernel.string(path, at, PATH_MAX) < 0) throw this.error(ERRNO.ENAMETOOLONG);
    return at;
  }
  /** The stat record at this.record as Emscripten wants it. */
  attributes() {
    const { view } = this.kernel;
    const u32 = (/** @type {number} */ f) => view.getUint32(this.record + f, true);
    const i64 = (/** @type {number} */ f) => Number(view.getBigInt64(this.record + f, true));
    const date = (/** @type {number} */ s, /** @type {number} */ ns) => new Date(i64(s) * 1000 + Math.floor(i64(ns) / 1e6));
    const S = GUEST_STAT;
    return {
      dev: OWN_DEVICES + i64(S.st_dev),
      ino: i64(S.st_ino),
      mode: u32(S.st_mode),
      nlink: u32(S.st_nlink),
      uid: u32(S.st_uid),
      gid: u32(S.st_gid),
      rdev: i64(S.st_rdev),
      size: i64(S.st_size),
      atime: date(S.st_atime_sec, S.st_atime_nsec),
      mtime: date(S.st_mtime_sec, S.st_mtime_nsec),
      ctime: date(S.st_ctime_sec, S.st_ctime_nsec),
      blksize: 4096,
      blocks: i64(S.st_blocks),
    };
  }
  /** lstat @param {string} path */
  stat(path) {
    this.call(SYSCALL.newfstatat, LINUX.AT_FDCWD, this.path(path), this.record, LINUX.AT_SYMLINK_NOFOLLOW);
    return this.attributes();
  }
  /** @param {number} fd */
  fstat(fd) {
    this.call(SYSCALL.fstat, fd, this.record);
    return this.attributes();
  }
  /** @param {any} parent @param {string} name @param {string} guest @param {{mode: number, rdev: number}} s */
  node(parent, name, guest, s) {
    const node = this.FS.createNode(parent, name, s.mode, s.rdev);
    node.guest = guest;
    node.node_ops = this.node_ops;
    node.stream_ops = this.stream_ops;
    return node;
  }
  /** @param {any} parent @param {string} name */
  child(parent, name) {
    return parent.guest === "/" ? `/${name}` : `${parent.guest}/${name}`;
  }

  // ---- names ----

  nodeOps() {
    const self = this;
    return {
      lookup(/** @type {any} */ parent, /** @type {string} */ name) {
        const guest = self.child(parent, name);
        return self.pins.get(guest) ?? self.node(parent, name, guest, self.stat(guest));
      },
      getattr: (/** @type {any} */ node) => self.stat(node.guest),
      setattr(/** @type {any} */ node, /** @type {any} */ a) {
        if (a.mode != null) {
          // Emscripten sets the mode of what it just made by itself, without the umask
          const mode = node.fresh ? a.mode & ~self.umask() : a.mode;
          node.fresh = false;
          self.call(SYSCALL.fchmodat, LINUX.AT_FDCWD, self.path(node.guest), mode & 0o7777);
        }
        if (a.size != null) self.call(SYSCALL.truncate, self.path(node.guest), a.size);
        if (a.atime != null || a.mtime != null) {
          const times = self.times(a);
          self.call(SYSCALL.utimensat, LINUX.AT_FDCWD, self.path(node.guest), times, 0);
        }
      },
      mknod(/** @type {any} */ parent, /** @type {string} */ name, /** @type {number} */ mode, /** @type {number} */ dev) {
        const guest = self.child(parent, name);
        if ((mode & LINUX.S_IFMT) === LINUX.S_IFDIR) self.call(SYSCALL.mkdirat, LINUX.AT_FDCWD, self.path(guest), mode & 0o7777);
        else self.call(SYSCALL.mknodat, LINUX.AT_FDCWD, self.path(guest), mode, dev);
        const node = self.node(parent, name, guest, self.stat(guest));
        node.fresh = true;
        return node;
      },
      rename(/** @type {any} */ node, /** @type {any} */ parent, /** @type {string} */ name) {
        const guest = self.child(parent, name);
        const to = self.path(guest, self.pathB);
        self.call(SYSCALL.renameat2, LINUX.AT_FDCWD, self.path(node.guest), LINUX.AT_FDCWD, to, 0);
        node.name = name;
        node.guest = guest;
      },
      unlink(/** @type {any} */ parent, /** @type {string} */ name) {
        self.call(SYSCALL.unlinkat, LINUX.AT_FDCWD, self.path(self.child(parent, name)), 0);
      },
      rmdir(/** @type {any} */ parent, /** @type {string} */ name) {
        self.call(SYSCALL.unlinkat, LINUX.AT_FDCWD, self.path(self.child(parent, name)), LINUX.AT_REMOVEDIR);
      },
      symlink(/** @type {any} */ parent, /** @type {string} */ name, /** @type {string} */ target) {
        const text = self.path(target, self.pathB);
        self.call(SYSCALL.symlinkat, text, LINUX.AT_FDCWD, self.path(self.child(parent, name)));
      },
      // For Emscripten's own walk, which must stay in the guests' tree; os.readlink sees the link's text (replace below).
      readlink: (/** @type {any} */ node) => self.here(self.linkText(node)),
      readdir: (/** @type {any} */ node) => self.names(node.guest),
      statfs(/** @type {any} */ _root) {
        self.call(SYSCALL.statfs, self.path("/tmp"), self.record);
        const at = (/** @type {number} */ f) => Number(self.kernel.view.getBigInt64(self.record + f, true));
        const S = GUEST_STATFS;
        return { bsize: at(S.f_bsize), blocks: at(S.f_blocks), bfree: at(S.f_bfree), bavail: at(S.f_bavail), files: at(S.f_files), ffree: at(S.f_ffree) };
      },
    };
  }
  umask() {
    const mask = this.kernel.attempt(SYSCALL.umask, 0o22);
    this.kernel.attempt(SYSCALL.umask, mask);
    return mask;
  }
  /** utimensat's two records. @param {any} a milliseconds; null: leave it */
  times(a) {
    const { kernel } = this;
    [a.atime, a.mtime].forEach((ms, i) => {
      if (ms == null) kernel.timespec(this.record + i * 16, 0, LINUX.UTIME_OMIT);
      else kernel.timespec(this.record + i * 16, Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6));
    });
    return this.record;
  }
  /** @param {any} node */
  linkText(node) {
    const n = this.call(SYSCALL.readlinkat, LINUX.AT_FDCWD, this.path(node.guest), this.data, PATH_MAX);
    return this.kernel.text(this.data, n);
  }
  /** Where a guest's absolute path is to be found here. @param {string} path */
  here(path) {
    if (!path.startsWith("/")) return path;
    const inside = (/** @type {string} */ folder) => folder === "/" || path === folder || path.startsWith(folder + "/");
    let best = "";
    let at = "";
    for (const [point, guest] of this.mounts)
      if (inside(guest) && guest.length > best.length) [best, at] = [guest, point];
    return best ? at + (best === "/" ? path : path.slice(best.length)) : path;
  }
  /** @param {string} guest */
  names(guest) {
    const { kernel } = this;
    const fd = this.call(SYSCALL.openat, LINUX.AT_FDCWD, this.path(guest), LINUX.O_DIRECTORY | LINUX.O_CLOEXEC, 0);
    const found = [".", ".."];
    const head = GUEST_DIRENT64.d_name;
    try {
      for (let n; (n = this.call(SYSCALL.getdents64, fd, this.data, 65536)) > 0; )
        for (let at = this.data; at < this.data + n; ) {
          const length = kernel.view.getUint16(at + GUEST_DIRENT64.d_reclen, true);
          let end = at + head;
          while (kernel.bytes[end]) end++;
          const name = kernel.text(at + head, end - at - head);
          if (name !== "." && name !== "..") found.push(name);
          at += length;
        }
    } finally {
      kernel.attempt(SYSCALL.close, fd);
    }
    return found;
  }

  // ---- streams ----

  streamOps() {
    const self = this;
    const { FS } = this;
    return {
      open(/** @type {any} */ stream) {
        const { guest, mode } = stream.node;
        const flags = (stream.flags & ~(LINUX.O_CREAT | LINUX.O_EXCL | LINUX.O_TRUNC)) | LINUX.O_CLOEXEC;
        let fd;
        try {
          fd = self.call(SYSCALL.openat, LINUX.AT_FDCWD, self.path(guest), flags, 0);
        } catch (e) {
          FS.closeStream(stream.fd); // Emscripten has made it already
          throw e;
        }
        self.bind(stream, fd, stream.flags, mode);
      },
      close(/** @type {any} */ stream) {
        const d = stream.shared;
        if (--d.refs === 0 && !self.closed) self.kernel.attempt(SYSCALL.close, d.fd);
      },
      dup(/** @type {any} */ stream) {
        stream.shared.refs++;
        stream.inheritable = false;
      },
      read(/** @type {any} */ stream, /** @type {any} */ buffer, /** @type {number} */ offset, /** @type {number} */ length, /** @type {number} */ position) {
        return self.read(stream.shared, new Uint8Array(buffer.buffer, buffer.byteOffset + offset, length), position);
      },
      write(/** @type {any} */ stream, /** @type {any} */ buffer, /** @type {number} */ offset, /** @type {number} */ length, /** @type {number} */ position) {
        return self.write(stream.shared, new Uint8Array(buffer.buffer, buffer.byteOffset + offset, length), position);
      },
      llseek(/** @type {any} */ stream, /** @type {number} */ offset, /** @type {number} */ whence) {
        const d = stream.shared;
        if (d.folder) return whence === LINUX.SEEK_CUR ? d.at + offset : offset;
        return self.call(SYSCALL.lseek, d.fd, offset, whence);
      },
      getattr: (/** @type {any} */ stream) => self.fstat(stream.shared.fd),
      setattr(/** @type {any} */ stream, /** @type {any} */ a) {
        if (a.mode != null) self.call(SYSCALL.fchmod, stream.shared.fd, a.mode & 0o7777);
        if (a.size != null) self.call(SYSCALL.ftruncate, stream.shared.fd, a.size);
      },
      fsync: (/** @type {any} */ stream) => (self.call(SYSCALL.fsync, stream.shared.fd), 0),
      poll: (/** @type {any} */ stream) => self.poll(stream.shared.fd),
      mmap(/** @type {any} */ stream, /** @type {number} */ length, /** @type {number} */ position, /** @type {number} */ prot, /** @type {number} */ flags) {
        const contents = new Uint8Array(length);
        for (let done = 0, n; done < length && (n = self.read(stream.shared, contents.subarray(done), position + done)) > 0; ) done += n;
        // MEMFS knows how to put bytes into memory of Emscripten's own
        return FS.filesystems.MEMFS.stream_ops.mmap({ node: { mode: LINUX.S_IFREG, contents } }, length, 0, prot, flags | 2);
      },
      msync(/** @type {any} */ stream, /** @type {any} */ buffer, /** @type {number} */ offset, /** @type {number} */ length) {
        const end = Math.min(length, self.fstat(stream.shared.fd).size - offset);
        for (let done = 0; done < end; ) done += self.write(stream.shared, buffer.subarray(done, end), offset + done);
        return 0;
      },
    };
  }
  /** @param {any} stream @param {number} fd @param {number} flags @param {number} mode */
  bind(stream, fd, flags, mode) {
    const type = mode & LINUX.S_IFMT;
    stream.shared = new Description(this, fd, flags, type === LINUX.S_IFREG);
    stream.shared.folder = type === LINUX.S_IFDIR;
    stream.seekable = type === LINUX.S_IFREG || type === LINUX.S_IFDIR;
    if (type !== LINUX.S_IFREG && type !== LINUX.S_IFDIR && type !== LINUX.S_IFIFO && this.kernel.attempt(SYSCALL.ioctl, fd, LINUX.TCGETS, this.record) === 0)
      stream.tty = { ops: this.ttyOps(fd) };
  }
  /** @param {number} fd */
  ttyOps(fd) {
    const { view, bytes } = this.kernel;
    const r = this.record;
    const flags = ["c_iflag", "c_oflag", "c_cflag", "c_lflag"];
    return {
      ioctl_tcgets: () => {
        this.call(SYSCALL.ioctl, fd, LINUX.TCGETS, r);
        /** @type {any} */
        const termios = { c_cc: Array.from(bytes.slice(r + TERMIOS_CC, r + TERMIOS_CC + TERMIOS_CCS)) };
        flags.forEach((name, i) => (termios[name] = view.getUint32(r + i * 4, true)));
        return termios;
      },
      ioctl_tcsets: (/** @type {any} */ _tty, /** @type {number} */ op, /** @type {any} */ termios) => {
        this.call(SYSCALL.ioctl, fd, LINUX.TCGETS, r);
        flags.forEach((name, i) => view.setUint32(r + i * 4, termios[name] >>> 0, true));
        bytes.set(termios.c_cc.slice(0, TERMIOS_CCS).map((/** @type {number} */ c) => c & 0xff), r + TERMIOS_CC);
        this.call(SYSCALL.ioctl, fd, op, r);
        return 0;
      },
      ioctl_tiocgwinsz: () => {
        this.call(SYSCALL.ioctl, fd, LINUX.TIOCGWINSZ, r);
        return [view.getUint16(r + GUEST_WINSIZE.ws_row, true), view.getUint16(r + GUEST_WINSIZE.ws_col, true)];
      },
    };
  }
  /** @param {number} fd */
  poll(fd) {
    const at = this.record;
    this.kernel.view.setInt32(at, fd, true);
    this.kernel.view.setInt16(at + GUEST_POLLFD.events, LINUX.POLLIN | LINUX.POLLPRI | LINUX.POLLOUT, true);
    const zero = this.kernel.timespec(at + 16, 0, 0);
    if (this.kernel.attempt(SYSCALL.ppoll, at, 1, zero, 0, 8) <= 0) return 0;
    return this.kernel.view.getUint16(at + GUEST_POLLFD.revents, true);
  }
  /** @param {Description} d @param {Uint8Array} into @param {number} position */
  read(d, into, position) {
    for (;;) {
      const size = Math.min(into.length, this.room);
      const n = d.regular ? this.call(SYSCALL.pread64, d.fd, this.data, size, position) : this.kernel.attempt(SYSCALL.read, d.fd, this.data, size);
      if (n >= 0) {
        into.set(this.kernel.bytes.subarray(this.data, this.data + n));
        return n;
      }
      this.again(n, d, LINUX.POLLIN);
    }
  }
  /** All of it, when it may wait. @param {Description} d @param {Uint8Array} from @param {number} position */
  write(d, from, position) {
    let done = 0;
    for (;;) {
      const size = Math.min(from.length - done, this.room);
      this.kernel.bytes.set(from.subarray(done, done + size), this.data);
      const n = d.regular ? this.call(SYSCALL.pwrite64, d.fd, this.data, size, position + done) : this.kernel.attempt(SYSCALL.write, d.fd, this.data, size);
      if (n >= 0) {
        done += n;
        if (done >= from.length || (!this.kernel.waits && n < size) || n === 0) return done;
        continue;
      }
      try {
        this.again(n, d, LINUX.POLLOUT);
      } catch (e) {
        if (done) return done;
        throw e;
      }
    }
  }
  /** Returns when the call may be made again. @param {number} n its result @param {Description} d @param {number} events */
  again(n, d, events) {
    if (n !== -ERRNO.EAGAIN) throw this.error(-n);
    if (!this.kernel.waits || d.now & LINUX.O_NONBLOCK || d.regular) throw this.error(ERRNO.EAGAIN);
    if (!this.kernel.park(d.fd, events)) throw this.error(ERRNO.EINTR);
  }

  // ---- for Python ----

  /** A number here for descriptor `fd` of the kernel, which it takes over. @param {number} fd @param {string} name */
  adopt(fd, name) {
    const flags = this.call(SYSCALL.fcntl, fd, LINUX.F_GETFL, 0);
    const s = this.fstat(fd);
    const node = new this.FS.FSNode(null, name, s.mode, s.rdev);
    Object.assign(node, { guest: name, node_ops: this.node_ops, stream_ops: this.stream_ops });
    const shared = new Description(this, fd, flags, false);
    const stream = this.FS.createStream({ shared, node, path: name, seekable: false, stream_ops: this.stream_ops });
    this.bind(stream, fd, flags, s.mode);
    return stream.fd;
  }
  /** The kernel's descriptor behind a number of this Python, or -1. @param {number} number */
  descriptor(number) {
    const d = this.FS.streams[number]?.shared;
    return d instanceof Description && d.fs === this && !this.closed ? d.fd : -1;
  }
  /** The same for what may wait: no file, and not O_NONBLOCK. @param {number} number */
  waiting(number) {
    const d = this.FS.streams[number]?.shared;
    return d instanceof Description && d.fs === this && !d.regular && !(d.now & LINUX.O_NONBLOCK) ? d.fd : -1;
  }
  /** fcntl F_SETFL, which Emscripten only ever adds to. @param {number} number @param {number} flags */
  setFlags(number, flags) {
    const { shared } = this.FS.streams[number];
    shared.flags = (shared.flags & LINUX.O_ACCMODE) | flags;
  }
  /** A child may be given it by close_fds=False. @param {number} number @param {boolean} yes */
  setInheritable(number, yes) {
    const stream = this.FS.streams[number];
    if (stream) stream.inheritable = yes;
  }
  /** @param {number} number */
  isInheritable(number) {
    return Boolean(this.FS.streams[number]?.inheritable);
  }
  /** Numbers with a descriptor of the kernel that a child may be given. */
  inheritable() {
    return this.FS.streams.map((/** @type {any} */ s, /** @type {number} */ n) => (s?.inheritable && this.descriptor(n) >= 0 ? n : -1)).filter((/** @type {number} */ n) => n > 2);
  }

  /** Mount points of others at or below `folder`. @param {string} folder */
  mountedBelow(folder) {
    const all = this.FS.getMounts(this.FS.root.mount).map((/** @type {any} */ m) => m.mountpoint);
    return all.filter((/** @type {any} */ point) => typeof point === "string" && point.startsWith(folder + "/"));
  }

  // ---- mounts ----

  /**
   * `point`, a directory here, becomes the guests' `guest`. What is mounted below it stays, on directories made for it.
   * @param {string} point @param {string} guest
   */
  mount(point, guest) {
    const { FS } = this;
    const below = FS.getMounts(FS.root.mount).filter((/** @type {any} */ m) => m.mountpoint?.startsWith(point + "/"));
    const root = FS.mount(
      { mount: (/** @type {any} */ mount) => Object.assign(this.node(null, "/", guest, this.follow(guest)), { mount }) },
      { root: guest },
      point,
    );
    this.mounts.set(point, guest);
    for (const mount of below) {
      const inside = guest + mount.mountpoint.slice(point.length);
      let parent = root;
      let path = guest;
      for (const name of inside.slice(guest.length).split("/").filter(Boolean)) {
        path = path === "/" ? `/${name}` : `${path}/${name}`;
        try {
          this.call(SYSCALL.mkdirat, LINUX.AT_FDCWD, this.path(path), 0o755);
        } catch (e) {
          if (/** @type {any} */ (e).errno !== this.errnos[ERRNO.EEXIST]) throw e;
        }
        parent = this.pins.get(path) ?? this.node(parent, name, path, this.stat(path));
        this.pins.set(path, parent);
      }
      parent.mounted = mount;
    }
  }
  /** stat of a directory, links followed. @param {string} guest */
  follow(guest) {
    this.call(SYSCALL.newfstatat, LINUX.AT_FDCWD, this.path(guest), this.record, 0);
    const s = this.attributes();
    if ((s.mode & LINUX.S_IFMT) !== LINUX.S_IFDIR) throw this.error(ERRNO.ENOTDIR);
    return s;
  }
  /** @param {string} point */
  unmount(point) {
    this.mounts.delete(point);
    const { mounted } = this.FS.lookupPath(point, { follow_mount: false }).node;
    // Emscripten would forget what is in them
    this.hung.push(...mounted.mounts);
    mounted.mounts = [];
    this.FS.unmount(point);
  }
  /** What others mounted on directories of ours is to be found at the same paths again. */
  rehang() {
    const { FS } = this;
    const hung = this.hung;
    this.hung = [];
    for (const mount of hung) {
      FS.mkdirTree(mount.mountpoint);
      const { node } = FS.lookupPath(mount.mountpoint, { follow_mount: false });
      if (FS.isMountpoint(node)) continue;
      node.mounted = mount;
      node.mount.mounts.push(mount);
    }
  }
  /** What Emscripten's FS must do otherwise for our nodes; call it when no other KernelFS is open. */
  replace() {
    const { FS } = this;
    const own = (/** @type {any} */ node) => node?.node_ops === this.node_ops;
    const put = (/** @type {string} */ name, /** @type {any} */ make) => {
      const old = FS[name];
      this.replaced.push([FS, name, old]);
      FS[name] = make(old.bind(FS));
    };
    // A remembered name would hide what guests do.
    put("hashAddNode", (/** @type {any} */ old) => (/** @type {any} */ node) => own(node.parent) && !FS.isRoot(node) ? undefined : old(node));
    put("readlink", (/** @type {any} */ old) => (/** @type {string} */ path) => {
      const { node } = FS.lookupPath(path);
      return own(node) && FS.isLink(node.mode) ? this.linkText(node) : old(path);
    });
    // What somebody mounts on a directory of ours must be found again.
    put("mount", (/** @type {any} */ old) => (/** @type {any} */ type, /** @type {any} */ opts, /** @type {string} */ point) => {
      if (point && point !== "/") {
        const { node } = FS.lookupPath(point, { follow_mount: false });
        if (own(node) && !FS.isRoot(node)) this.pins.set(node.guest, node);
      }
      return old(type, opts, point);
    });
  }
  /** Nothing of the kernel is to be seen here any more. */
  close() {
    for (const point of [...this.mounts.keys()].reverse()) this.unmount(point);
    this.rehang();
    for (const [FS, name, old] of this.replaced.reverse()) FS[name] = old;
    this.replaced = [];
    this.closed = true;
    this.pins.clear();
  }
}

/** @param {any} FS @param {any} kernel @param {any} errnos */
export const newKernelFS = (FS, kernel, errnos) => new KernelFS(FS, kernel, errnos);
