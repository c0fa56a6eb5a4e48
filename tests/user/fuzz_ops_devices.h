/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The half of fuzz_ops.h that makes fences, buffers of other exporters, and
 * importers; and what disturbs them all. Included there and nowhere else.
 */

/* -------------------------------------------------------------- sync files -- */

static long op_merge(struct thread *t, const __u64 *d)
{
	struct sync_merge_data data = {
		.fd2 = slot_pick(SYNC_FILE, d[0]), .fence = -1,
		.flags = (__u32)number_pick(d[1], 0), .pad = (__u32)number_pick(d[2], 0),
	};
	int ret;

	memset(data.name, 'm', sizeof(data.name) - (d[3] & 1));
	ret = xioctl(slot_pick(SYNC_FILE, d[3] >> 1), SYNC_IOC_MERGE,
		     pointer_pick(d[4], &data));
	return slot_put(SYNC_FILE, d[5], ret < 0 ? ret : data.fence);
}

static long op_file_info(struct thread *t, const __u64 *d)
{
	__u64 room = sizeof(t->scratch) / sizeof(struct sync_fence_info);
	struct sync_file_info info = {
		.num_fences = (__u32)number_pick(d[0], d[0] & 1 ? 0 : d[0] % room),
		.flags = (__u32)number_pick(d[1], 0), .pad = (__u32)number_pick(d[2], 0),
		.sync_fence_info = (uintptr_t)pointer_pick(d[3], t->scratch),
	};

	/* The kernel writes as many as it was told there is room for. */
	if (info.num_fences > room)
		info.sync_fence_info = 0;
	return xioctl(slot_pick(SYNC_FILE, d[4]), SYNC_IOC_FILE_INFO, pointer_pick(d[5], &info));
}

static long op_deadline(struct thread *t, const __u64 *d)
{
	struct sync_set_deadline data = {
		.deadline_ns = number_pick(d[0], d[0]), .pad = number_pick(d[1], 0),
	};

	return xioctl(slot_pick(SYNC_FILE, d[2]), SYNC_IOC_SET_DEADLINE,
		      pointer_pick(d[3], &data));
}

static long op_timeline_open(struct thread *t, const __u64 *d)
{
	return slot_put(TIMELINE, d[0], sw_sync_open());
}

static long op_fence_create(struct thread *t, const __u64 *d)
{
	struct sw_sync_create_fence_data data = {
		.value = (__u32)number_pick(d[0], d[0] % 64), .fence = -1,
	};
	int ret = xioctl(slot_pick(TIMELINE, d[1]), SW_SYNC_IOC_CREATE_FENCE,
			 pointer_pick(d[2], &data));

	return slot_put(SYNC_FILE, d[3], ret < 0 ? ret : data.fence);
}

static long op_timeline_inc(struct thread *t, const __u64 *d)
{
	__u32 by = (__u32)number_pick(d[0], d[0] % 8);

	return xioctl(slot_pick(TIMELINE, d[1]), SW_SYNC_IOC_INC, pointer_pick(d[2], &by));
}

static long op_get_deadline(struct thread *t, const __u64 *d)
{
	struct sw_sync_get_deadline data = {
		.fence_fd = slot_pick(SYNC_FILE, d[0]), .pad = (__u32)number_pick(d[1], 0),
	};

	return xioctl(slot_pick(TIMELINE, d[2]), SW_SYNC_GET_DEADLINE, pointer_pick(d[3], &data));
}

/* ----------------------------------------------------------------- devices -- */

/* Devices are few. Most are open for good; a node is opened again when it is gone. */
static int device_pick(enum kind kind, __u64 rnd)
{
	int fd = slot_pick(kind, rnd);

	if (fd < 0 && kind == UDMABUF)
		fd = (int)slot_put(kind, rnd, device_open(kind));
	return fd;
}

/* ----------------------------------------------------------------- udmabuf -- */

static long op_memfd(struct thread *t, const __u64 *d)
{
	unsigned int flags = MFD_CLOEXEC | (d[0] & 7 ? MFD_ALLOW_SEALING : 0);
	bool huge = d[0] % 16 == 8;
	int fd;

	fd = (int)sysret(memfd_create("fuzz", flags | (huge ? MFD_HUGETLB : 0)));
	if (fd < 0)
		return fd;
	if (ftruncate(fd, huge ? 2 << 20 : (off_t)(page_size() * (1 + d[1] % 32))) ||
	    (d[2] & 15 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))) {
		close(fd);
		return -EPERM;
	}
	return slot_put(MEMFD, d[3], fd);
}

static long op_memfd_change(struct thread *t, const __u64 *d)
{
	int fd = slot_pick(MEMFD, d[0]);

	if (d[1] & 1)
		return sysret(ftruncate(fd, (off_t)(page_size() * (d[2] % 40))));
	return sysret(fallocate(fd, d[1] & 2 ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : 0,
				(off_t)(page_size() * (d[2] % 32)),
				(off_t)(page_size() * (1 + d[3] % 8))));
}

static struct udmabuf_create_item udmabuf_item(__u64 rnd, __u64 other)
{
	return (struct udmabuf_create_item){
		.memfd = (__u32)slot_pick(MEMFD, rnd),
		.offset = number_pick(other, page_size() * (other % 3)),
		.size = number_pick(other >> 8, page_size() * (1 + other % 5)),
	};
}

static long op_udmabuf(struct thread *t, const __u64 *d)
{
	struct udmabuf_create_item item = udmabuf_item(d[0], d[1]);
	struct udmabuf_create create = {
		.memfd = item.memfd, .offset = item.offset, .size = item.size,
		.flags = (__u32)number_pick(d[2], UDMABUF_FLAGS_CLOEXEC),
	};

	return slot_put(BUFFER, d[3], xioctl(device_pick(UDMABUF, d[4]), UDMABUF_CREATE,
					     pointer_pick(d[5], &create)));
}

static long op_udmabuf_list(struct thread *t, const __u64 *d)
{
	struct {
		struct udmabuf_create_list head;
		struct udmabuf_create_item items[8];
	} list;
	size_t i, n = 1 + d[0] % ARRAY_SIZE(list.items);

	list.head.flags = (__u32)number_pick(d[1], UDMABUF_FLAGS_CLOEXEC);
	list.head.count = (__u32)number_pick(d[0], n);
	for (i = 0; i < ARRAY_SIZE(list.items); i++)
		list.items[i] = udmabuf_item(random_mix(d[2] + i), random_mix(d[2] - i));
	/* With several, each has to be good: only seldom is one not. */
	if (d[3] & 3)
		for (i = 0; i < ARRAY_SIZE(list.items); i++)
			list.items[i] = (struct udmabuf_create_item){
				.memfd = (__u32)slot_peek(MEMFD, d[2]),
				.offset = page_size() * i, .size = page_size(),
			};
	return slot_put(BUFFER, d[3], xioctl(device_pick(UDMABUF, d[4]), UDMABUF_CREATE_LIST,
					     pointer_pick(d[5], &list)));
}

/* --------------------------------------------------------------- importers -- */

static long drm_import(enum kind kind, enum handle handles, const __u64 *d)
{
	int dev = device_pick(kind, d[0]), ret;
	unsigned int old;

	while (sem_wait(&world.imports))
		;
	ret = importer_import(dev, slot_pick(BUFFER, d[1]));
	if (ret >= 0) {
		old = handle_put(handles, d[2], (unsigned int)ret);
		if (old && old != (unsigned int)ret)
			importer_close(dev, (int)old);
	}
	sem_post(&world.imports);
	return ret;
}

static long op_vgem_import(struct thread *t, const __u64 *d)
{
	return drm_import(VGEM, VGEM_HANDLE, d);
}

static long op_vgem_export(struct thread *t, const __u64 *d)
{
	struct drm_prime_handle prime = {
		.handle = handle_pick(VGEM_HANDLE, d[0]),
		.flags = (__u32)number_pick(d[1], d[1] & 1 ? DRM_CLOEXEC | DRM_RDWR : DRM_CLOEXEC),
		.fd = -1,
	};
	int ret = xioctl(device_pick(VGEM, d[2]), DRM_IOCTL_PRIME_HANDLE_TO_FD,
			 pointer_pick(d[3], &prime));

	return slot_put(BUFFER, d[4], ret < 0 ? ret : prime.fd);
}

static long op_vgem_create(struct thread *t, const __u64 *d)
{
	int dev = device_pick(VGEM, d[0]), ret = importer_create(dev, 1 + (__u32)(d[1] % 16));
	unsigned int old;

	if (ret < 0)
		return ret;
	old = handle_put(VGEM_HANDLE, d[2], (unsigned int)ret);
	if (old)
		importer_close(dev, (int)old);
	return 0;
}

static long op_vgem_close(struct thread *t, const __u64 *d)
{
	return importer_close(device_pick(VGEM, d[0]), (int)handle_pick(VGEM_HANDLE, d[1]));
}

static long op_vgem_fence(struct thread *t, const __u64 *d)
{
	struct drm_vgem_fence_attach attach = {
		.handle = handle_pick(VGEM_HANDLE, d[0]),
		.flags = (__u32)number_pick(d[1], d[1] & 1),
	};
	int ret = xioctl(device_pick(VGEM, d[2]), DRM_IOCTL_VGEM_FENCE_ATTACH,
			 pointer_pick(d[3], &attach));

	if (!ret)
		handle_put(VGEM_FENCE, d[4], attach.out_fence);
	return ret;
}

static long op_vgem_signal(struct thread *t, const __u64 *d)
{
	struct drm_vgem_fence_signal signal = { .fence = handle_pick(VGEM_FENCE, d[0]) };

	return xioctl(device_pick(VGEM, d[1]), DRM_IOCTL_VGEM_FENCE_SIGNAL, &signal);
}

static long op_vkms_import(struct thread *t, const __u64 *d)
{
	return drm_import(VKMS, VKMS_HANDLE, d);
}

static long op_vkms_framebuffer(struct thread *t, const __u64 *d)
{
	struct drm_mode_fb_cmd2 fb = {
		.width = 64, .height = 1 + (__u32)(d[0] % 16),
		.pixel_format = DRM_FORMAT_XRGB8888,
		.handles = { handle_pick(VKMS_HANDLE, d[1]) },
		.pitches = { (__u32)number_pick(d[2], 256) },
		.offsets = { (__u32)number_pick(d[3], 0) },
	};
	int dev = device_pick(VKMS, d[4]), ret = xioctl(dev, DRM_IOCTL_MODE_ADDFB2, &fb);
	unsigned int old;

	if (ret < 0)
		return ret;
	old = handle_put(VKMS_FB, d[5], fb.fb_id);
	return old ? xioctl(dev, DRM_IOCTL_MODE_RMFB, &old) : 0;
}

static long op_vkms_close(struct thread *t, const __u64 *d)
{
	return importer_close(device_pick(VKMS, d[0]), (int)handle_pick(VKMS_HANDLE, d[1]));
}

static long op_edu_attach(struct thread *t, const __u64 *d)
{
	struct dmabuf_edu_attach attach = {
		.fd = slot_pick(BUFFER, d[0]), .flags = (__u32)number_pick(d[1], d[1] & 1),
	};
	struct dmabuf_edu_detach detach = { 0 };
	int dev = device_pick(EDU, d[2]), ret;

	while (sem_wait(&world.imports))
		;
	ret = xioctl(dev, DMABUF_EDU_ATTACH, pointer_pick(d[3], &attach));
	if (!ret) {
		detach.handle = handle_put(EDU_HANDLE, d[4], attach.handle);
		if (detach.handle)
			xioctl(dev, DMABUF_EDU_DETACH, &detach);
	}
	sem_post(&world.imports);
	return ret;
}

static long op_edu_copy(struct thread *t, const __u64 *d)
{
	struct dmabuf_edu_copy copy = {
		.src = handle_pick(EDU_HANDLE, d[0]),
		.dst = d[1] & 1 ? DMABUF_EDU_WINDOW : handle_pick(EDU_HANDLE, d[1]),
		.src_offset = number_pick(d[2], 0), .dst_offset = number_pick(d[2] >> 8, 0),
		.length = number_pick(d[3], 1 + d[3] % 256),
		.in_fence = d[3] & 1024 ? slot_pick(SYNC_FILE, d[4]) : -1,
		.flags = (__u32)(d[3] >> 12 & 1), .out_fence = -1, .timeout_ms = 500,
	};
	int ret;

	patience_start(t, 20);
	ret = xioctl(device_pick(EDU, d[5]), DMABUF_EDU_COPY, &copy);
	patience_end(t);
	return slot_put(SYNC_FILE, d[5] >> 4, ret < 0 ? ret : copy.out_fence);
}

static long op_edu_detach(struct thread *t, const __u64 *d)
{
	struct dmabuf_edu_detach detach = { .handle = handle_pick(EDU_HANDLE, d[0]) };

	return xioctl(device_pick(EDU, d[1]), DMABUF_EDU_DETACH, &detach);
}

/* ------------------------------------------------------------ disturbances -- */

static long op_look(struct thread *t, const __u64 *d)
{
	static const char * const files[] = {
		DMA_BUF_BUFINFO, "/sys/kernel/debug/sync/info", "/proc/self/smaps",
		"/proc/self/maps", "/sys/kernel/dma_heap/system/allocated_bytes",
		"/sys/kernel/dma_heap/system/pool_bytes", DMA_BUF_SYSFS,
	};
	const char *path = files[d[0] % ARRAY_SIZE(files)];
	int fd = xopen(path, O_RDONLY);
	long ret;

	if (fd < 0)
		return fd;
	if (path == files[ARRAY_SIZE(files) - 1])
		ret = sysret(syscall(SYS_getdents64, fd, t->scratch, sizeof(t->scratch)));
	else
		while ((ret = sysret(read(fd, t->scratch, sizeof(t->scratch)))) > 0)
			;
	close(fd);
	/* How much there was depends on others. */
	return ret < 0 ? ret : 0;
}

static long op_pressure(struct thread *t, const __u64 *d)
{
	switch (d[0] % 16) {
	case 0:
		return file_write_number("/proc/sys/vm/compact_memory", 1);
	case 1:
	case 2:
		return file_write_number("/proc/sys/vm/drop_caches", 2);
	default:
		return heap_set_limit("system", d[1] % 4 * (16ul << 20));
	}
}

/* Numbers that could be a command, of any type, number, size and direction. */
static long op_ioctl_any(struct thread *t, const __u64 *d)
{
	static const char types[] = { 'b', 'H', '>', 'W', 'u', (char)0xed };
	__u64 number = _IOC(d[0] % 4, (unsigned char)types[d[1] % sizeof(types)], d[2] % 8,
			    d[3] % 80);
	long ret;

	memset(t->scratch, (int)d[4], 128);
	patience_start(t, 4);
	/* Not sockets: types of theirs are among these. */
	ret = xioctl(slot_pick(d[5] % SOCKET, d[5] >> 8), number, t->scratch);
	patience_end(t);
	return ret;
}

/* A command that exists, on whatever file there is. */
static long op_ioctl_crossed(struct thread *t, const __u64 *d)
{
	static const unsigned long commands[] = {
		DMA_BUF_IOCTL_SYNC, DMA_BUF_SET_NAME_B, DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
		DMA_BUF_IOCTL_IMPORT_SYNC_FILE, DMA_HEAP_IOCTL_ALLOC, SYNC_IOC_MERGE,
		SYNC_IOC_FILE_INFO, SYNC_IOC_SET_DEADLINE, SW_SYNC_IOC_CREATE_FENCE,
		SW_SYNC_GET_DEADLINE, UDMABUF_CREATE, UDMABUF_CREATE_LIST, DMABUF_EDU_DETACH,
		DRM_IOCTL_PRIME_HANDLE_TO_FD, DRM_IOCTL_GEM_CLOSE,
		DRM_IOCTL_VGEM_FENCE_ATTACH,
	};
	size_t i;
	long ret;

	for (i = 0; i < 128; i += 8)
		*(__u64 *)(t->scratch + i) = d[0] & 1 ? 0 : random_mix(d[1] + i);
	patience_start(t, 4);
	ret = xioctl(slot_pick(d[2] % SOCKET, d[3]), commands[d[4] % ARRAY_SIZE(commands)],
		     pointer_pick(d[5], t->scratch));
	patience_end(t);
	return ret;
}
