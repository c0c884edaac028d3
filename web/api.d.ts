/* What the daemon's methods take and give. Made from their rows by `make golden`: change those, not this.
 * Names that a method does not know are ignored. null is as good as leaving out what may be left out. */

export interface Methods {
    /**
     * Says what it was told.
     *
     * Who: anybody. Phases: run. Effect: reads.
     */
    "echo": {
        params: {
            /** What comes back. */
            message: string;
        };
        result: string;
    };
    /**
     * The commit this program was built from.
     *
     * Who: the box's own root, a login session, a signed key. Phases: all. Effect: reads.
     */
    "git-info": {
        params: Record<string, never>;
        result: string;
    };
    /**
     * Which phase of its life the box is in.
     *
     * Who: anybody. Phases: all. Effect: reads.
     */
    "state": {
        params: Record<string, never>;
        result: "initializing" | "setup" | "running" | "error";
    };
    /**
     * The key that passwords may be sealed to while there is no TLS.
     *
     * Who: anybody. Phases: run. Effect: reads.
     */
    "auth.get-pubkey": {
        params: Record<string, never>;
        result: {
            kty: string;
            crv: string;
            x: string;
            y: string;
        };
    };
    /**
     * Lets a key sign requests: whoever has it is master of the box.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: changes.
     */
    "auth.key.add": {
        params: {
            /**
             * What the key is called here.
             * Text of 1 to 40 bytes.
             */
            name: string;
            /** The public key, Ed25519, as PEM. */
            key: string;
        };
        result: null;
    };
    /**
     * Lists the keys that may sign requests.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: reads.
     */
    "auth.key.list": {
        params: Record<string, never>;
        result: { [key: string]: {
            key: string;
            createdAt: string;
        } };
    };
    /**
     * Ends what a key may do.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: changes.
     */
    "auth.key.remove": {
        params: {
            /**
             * Which key.
             * Text of 1 to 40 bytes.
             */
            name: string;
        };
        result: null;
    };
    /**
     * Begins a session with the password.
     *
     * Who: anybody. Phases: run, diagnostic. Effect: changes.
     */
    "auth.login": {
        params: {
            /** The password of the box. */
            password: unknown;
            /**
             * The session ends with the program, and nothing of it is written down.
             * @default false
             */
            ephemeral?: boolean;
        };
        result: {
            session: string;
        };
    };
    /**
     * Ends the session that asks.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run, diagnostic. Effect: changes.
     */
    "auth.logout": {
        params: Record<string, never>;
        result: null;
    };
    /**
     * Changes the password; every other session ends.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: cannot be undone.
     */
    "auth.reset-password": {
        params: {
            /**
             * The password as it is.
             * @default ""
             */
            oldPassword?: unknown;
            /**
             * The password from now on.
             * @default ""
             */
            newPassword?: unknown;
        };
        result: null;
    };
    /**
     * Ends sessions.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: cannot be undone.
     */
    "auth.session.kill": {
        params: {
            /** Which sessions: hashes as of the list. */
            ids: string[];
        };
        result: null;
    };
    /**
     * Lists who is logged in.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: reads.
     */
    "auth.session.list": {
        params: Record<string, never>;
        result: {
            current: string | null;
            sessions: { [key: string]: {
                loggedIn: string;
                lastActive: string;
                userAgent: string | null;
            } };
        };
    };
    /**
     * Sets the password without the old one, which only the root of the box may; every session ends.
     *
     * Who: the box's own root. Phases: run. Effect: cannot be undone.
     */
    "auth.set-password": {
        params: {
            /** The password from now on. */
            password: unknown;
        };
        result: null;
    };
    /**
     * Changes the tree by hand, for repairs.
     *
     * Who: the box's own root. Phases: run. Effect: cannot be undone.
     */
    "db.apply": {
        params: {
            /** The change, a JSON Patch. */
            expr: string;
        };
        result: null;
    };
    /**
     * Shows the tree, or a part of it.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: reads.
     */
    "db.dump": {
        params: {
            /**
             * Where in the tree, as a JSON Pointer.
             * Text of at most 2032 bytes.
             * @default "/public"
             */
            pointer?: string;
        };
        result: {
            /** An integer of at least 0. */
            id: number;
            value: unknown;
        };
    };
    /**
     * Keeps something for the web page.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: changes.
     */
    "db.put.ui": {
        params: {
            /**
             * Where in what is the UI's, as a JSON Pointer.
             * Text of at most 2032 bytes.
             */
            pointer: string;
            /** What stands there from now on. */
            value: unknown;
        };
        result: null;
    };
    /**
     * Shows the tree, or a part of it, and then every change of it by a feed.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: reads.
     */
    "db.subscribe": {
        params: {
            /**
             * Where in the tree, as a JSON Pointer.
             * Text of at most 2032 bytes.
             * @default "/public"
             */
            pointer?: string;
            /**
             * With since: the life that an earlier subscription told.
             * An integer from 1 to 9007199254740992.
             */
            life?: number;
            /**
             * The last revision that is known: only what came behind it is sent.
             * An integer of at least 0.
             */
            since?: number;
        };
        result: {
            dump: {
                /** An integer of at least 0. */
                id: number;
                value: unknown;
            } | null;
            /** Text of exactly 32 bytes. */
            guid: string;
            /** An integer from 1 to 9007199254740992. */
            life: number;
        };
    };
    /**
     * What broke.
     *
     * Who: the box's own root, a login session, a signed key. Phases: diagnostic. Effect: reads.
     */
    "diagnostic.error": {
        params: Record<string, never>;
        result: {
            /** An integer from -2147483648 to 2147483647. */
            code: number;
            message: string;
            data: {
                details: string;
                debug: string;
                info: unknown;
            };
        };
    };
    /**
     * Shows what the kernel has said.
     *
     * Who: the box's own root, a login session, a signed key. Phases: diagnostic. Effect: reads.
     */
    "diagnostic.kernel-logs": {
        params: {
            /**
             * At most so many lines.
             * An integer from 0 to 1000.
             * @default 50
             */
            limit?: number;
            /**
             * Where an earlier answer began or ended.
             * Text of at most 40 bytes.
             */
            cursor?: string;
            /** Only of one start of the machine: 0 is this one, -1 the one before, or its id. */
            boot?: unknown;
            /**
             * What came before the cursor, not what came behind it.
             * @default false
             */
            before?: boolean;
        };
        result: {
            entries: {
                timestamp: string;
                message: string;
                bootId: string;
            }[];
            startCursor: string | null;
            endCursor: string | null;
        };
    };
    /**
     * The same of the kernel, and then by a feed what it says from now on.
     *
     * Who: the box's own root, a login session, a signed key. Phases: diagnostic. Effect: reads.
     */
    "diagnostic.kernel-logs.follow": {
        params: {
            /**
             * At most so many lines.
             * An integer from 0 to 1000.
             * @default 50
             */
            limit?: number;
            /**
             * Where an earlier answer began or ended.
             * Text of at most 40 bytes.
             */
            cursor?: string;
            /** Only of one start of the machine: 0 is this one, -1 the one before, or its id. */
            boot?: unknown;
        };
        result: {
            startCursor: string | null;
            /** Text of exactly 32 bytes. */
            guid: string;
        };
    };
    /**
     * Shows what the daemon has said.
     *
     * Who: the box's own root, a login session, a signed key. Phases: diagnostic. Effect: reads.
     */
    "diagnostic.logs": {
        params: {
            /**
             * At most so many lines.
             * An integer from 0 to 1000.
             * @default 50
             */
            limit?: number;
            /**
             * Where an earlier answer began or ended.
             * Text of at most 40 bytes.
             */
            cursor?: string;
            /** Only of one start of the machine: 0 is this one, -1 the one before, or its id. */
            boot?: unknown;
            /**
             * What came before the cursor, not what came behind it.
             * @default false
             */
            before?: boolean;
        };
        result: {
            entries: {
                timestamp: string;
                message: string;
                bootId: string;
            }[];
            startCursor: string | null;
            endCursor: string | null;
        };
    };
    /**
     * The same, and then by a feed what it says from now on.
     *
     * Who: the box's own root, a login session, a signed key. Phases: diagnostic. Effect: reads.
     */
    "diagnostic.logs.follow": {
        params: {
            /**
             * At most so many lines.
             * An integer from 0 to 1000.
             * @default 50
             */
            limit?: number;
            /**
             * Where an earlier answer began or ended.
             * Text of at most 40 bytes.
             */
            cursor?: string;
            /** Only of one start of the machine: 0 is this one, -1 the one before, or its id. */
            boot?: unknown;
        };
        result: {
            startCursor: string | null;
            /** Text of exactly 32 bytes. */
            guid: string;
        };
    };
    /**
     * Tries to start again.
     *
     * Who: the box's own root, a login session, a signed key. Phases: diagnostic. Effect: cannot be undone.
     */
    "diagnostic.restart": {
        params: Record<string, never>;
        result: null;
    };
    /**
     * Lists the disks of the machine and what they hold.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: reads.
     */
    "disk.list": {
        params: Record<string, never>;
        result: {
            logicalname: string;
            partitionTable: "mbr" | "gpt" | null;
            vendor: string | null;
            model: string | null;
            partitions: {
                logicalname: string;
                label: string | null;
                /** An integer of at least 0. */
                capacity: number;
                /** An integer of at least 0 or null. */
                used: number | null;
                startOs: { [key: string]: unknown };
                legacyBackup: { [key: string]: unknown } | null;
                guid: string | null;
                filesystem: string | null;
            }[];
            /** An integer of at least 0. */
            capacity: number;
            guid: string | null;
            filesystem: string | null;
        }[];
    };
    /**
     * Shows what the kernel has said.
     *
     * Who: the box's own root, a login session, a signed key. Phases: init. Effect: reads.
     */
    "init.kernel-logs": {
        params: {
            /**
             * At most so many lines.
             * An integer from 0 to 1000.
             * @default 50
             */
            limit?: number;
            /**
             * Where an earlier answer began or ended.
             * Text of at most 40 bytes.
             */
            cursor?: string;
            /** Only of one start of the machine: 0 is this one, -1 the one before, or its id. */
            boot?: unknown;
            /**
             * What came before the cursor, not what came behind it.
             * @default false
             */
            before?: boolean;
        };
        result: {
            entries: {
                timestamp: string;
                message: string;
                bootId: string;
            }[];
            startCursor: string | null;
            endCursor: string | null;
        };
    };
    /**
     * The same of the kernel, and then by a feed what it says from now on.
     *
     * Who: the box's own root, a login session, a signed key. Phases: init. Effect: reads.
     */
    "init.kernel-logs.follow": {
        params: {
            /**
             * At most so many lines.
             * An integer from 0 to 1000.
             * @default 50
             */
            limit?: number;
            /**
             * Where an earlier answer began or ended.
             * Text of at most 40 bytes.
             */
            cursor?: string;
            /** Only of one start of the machine: 0 is this one, -1 the one before, or its id. */
            boot?: unknown;
        };
        result: {
            startCursor: string | null;
            /** Text of exactly 32 bytes. */
            guid: string;
        };
    };
    /**
     * Shows what the daemon has said.
     *
     * Who: the box's own root, a login session, a signed key. Phases: init. Effect: reads.
     */
    "init.logs": {
        params: {
            /**
             * At most so many lines.
             * An integer from 0 to 1000.
             * @default 50
             */
            limit?: number;
            /**
             * Where an earlier answer began or ended.
             * Text of at most 40 bytes.
             */
            cursor?: string;
            /** Only of one start of the machine: 0 is this one, -1 the one before, or its id. */
            boot?: unknown;
            /**
             * What came before the cursor, not what came behind it.
             * @default false
             */
            before?: boolean;
        };
        result: {
            entries: {
                timestamp: string;
                message: string;
                bootId: string;
            }[];
            startCursor: string | null;
            endCursor: string | null;
        };
    };
    /**
     * The same, and then by a feed what it says from now on.
     *
     * Who: the box's own root, a login session, a signed key. Phases: init. Effect: reads.
     */
    "init.logs.follow": {
        params: {
            /**
             * At most so many lines.
             * An integer from 0 to 1000.
             * @default 50
             */
            limit?: number;
            /**
             * Where an earlier answer began or ended.
             * Text of at most 40 bytes.
             */
            cursor?: string;
            /** Only of one start of the machine: 0 is this one, -1 the one before, or its id. */
            boot?: unknown;
        };
        result: {
            startCursor: string | null;
            /** Text of exactly 32 bytes. */
            guid: string;
        };
    };
    /**
     * How far the start is, and a feed of it.
     *
     * Who: anybody. Phases: init. Effect: reads.
     */
    "init.subscribe": {
        params: Record<string, never>;
        result: {
            progress: unknown;
            /** Text of exactly 32 bytes. */
            guid: string;
        };
    };
    /**
     * Ends the daemon; the machine goes on.
     *
     * Who: the box's own root, a login session. Phases: all. Effect: cannot be undone.
     */
    "kernel.shutdown": {
        params: {
            /**
             * Why, for the log.
             * Text of at most 200 bytes.
             * @default ""
             */
            reason?: string;
        };
        result: null;
    };
    /**
     * How the daemon is: its process, its clients, its revision, what the kernel gives it.
     *
     * Who: the box's own root, a login session, a signed key. Phases: all. Effect: reads.
     */
    "kernel.status": {
        params: Record<string, never>;
        result: {
            /** An integer of at least 0. */
            pid: number;
            /** An integer of at least 0. */
            uptime: number;
            version: string;
            /** An integer of at least 0. */
            clients: number;
            /** An integer of at least 0. */
            localClients: number;
            /** An integer of at least 0. */
            subscriptions: number;
            /** An integer of at least 0. */
            revision: number;
            /** An integer of at least 0. */
            memory: number;
            kernel: { [key: string]: unknown } | null;
        };
    };
    /**
     * Says something to the owner of the box.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: changes.
     */
    "notification.create": {
        params: {
            /** How much it matters. */
            level: "success" | "info" | "warning" | "error";
            /**
             * A few words.
             * Text of at most 4096 bytes.
             */
            title: string;
            /**
             * What there is to say.
             * Text of at most 4096 bytes.
             */
            message: string;
            /**
             * The service it is about.
             * Text of at most 4096 bytes.
             */
            package?: string;
        };
        result: null;
    };
    /**
     * Lists what the box has to say, the newest first.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: reads.
     */
    "notification.list": {
        params: {
            /**
             * Only older ones than this.
             * An integer from 0 to 4294967295.
             */
            before?: number;
            /**
             * At most so many.
             * An integer from 0 to 500.
             * @default 40
             */
            limit?: number;
        };
        result: {
            /** An integer from 0 to 4294967295. */
            id: number;
            packageId: string | null;
            createdAt: string;
            /** An integer of at least 0. */
            code: number;
            level: "success" | "info" | "warning" | "error";
            title: string;
            message: string;
            data: unknown;
            seen: boolean;
        }[];
    };
    /**
     * Marks notifications as read.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: changes.
     */
    "notification.mark-seen": {
        params: {
            /**
             * Which ones.
             * An array of at most 500 elements.
             */
            ids: number[];
        };
        result: null;
    };
    /**
     * Marks one and all older ones as read.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: changes.
     */
    "notification.mark-seen-before": {
        params: {
            /**
             * Up to which one.
             * An integer from 0 to 4294967295.
             */
            before: number;
        };
        result: null;
    };
    /**
     * Marks notifications as not read.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: changes.
     */
    "notification.mark-unseen": {
        params: {
            /**
             * Which ones.
             * An array of at most 500 elements.
             */
            ids: number[];
        };
        result: null;
    };
    /**
     * Takes notifications away.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: cannot be undone.
     */
    "notification.remove": {
        params: {
            /**
             * Which ones.
             * An array of at most 500 elements.
             */
            ids: number[];
        };
        result: null;
    };
    /**
     * Takes all away that are older than one.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: cannot be undone.
     */
    "notification.remove-before": {
        params: {
            /**
             * Up to which one.
             * An integer from 0 to 4294967295.
             */
            before: number;
        };
        result: null;
    };
    /**
     * Forgets the mail server.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: changes.
     */
    "server.clear-smtp": {
        params: Record<string, never>;
        result: null;
    };
    /**
     * What kind of machine and system this is.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: reads.
     */
    "server.device-info": {
        params: Record<string, never>;
        result: {
            os: {
                version: string;
                compat: string;
                platform: string;
                language: string | null;
            };
            hardware: {
                arch: string;
                /** An integer of at least 0. */
                ram: number;
                devices: unknown[];
            };
        };
    };
    /**
     * Shows what the kernel has said.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: reads.
     */
    "server.kernel-logs": {
        params: {
            /**
             * At most so many lines.
             * An integer from 0 to 1000.
             * @default 50
             */
            limit?: number;
            /**
             * Where an earlier answer began or ended.
             * Text of at most 40 bytes.
             */
            cursor?: string;
            /** Only of one start of the machine: 0 is this one, -1 the one before, or its id. */
            boot?: unknown;
            /**
             * What came before the cursor, not what came behind it.
             * @default false
             */
            before?: boolean;
        };
        result: {
            entries: {
                timestamp: string;
                message: string;
                bootId: string;
            }[];
            startCursor: string | null;
            endCursor: string | null;
        };
    };
    /**
     * The same of the kernel, and then by a feed what it says from now on.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: reads.
     */
    "server.kernel-logs.follow": {
        params: {
            /**
             * At most so many lines.
             * An integer from 0 to 1000.
             * @default 50
             */
            limit?: number;
            /**
             * Where an earlier answer began or ended.
             * Text of at most 40 bytes.
             */
            cursor?: string;
            /** Only of one start of the machine: 0 is this one, -1 the one before, or its id. */
            boot?: unknown;
        };
        result: {
            startCursor: string | null;
            /** Text of exactly 32 bytes. */
            guid: string;
        };
    };
    /**
     * Shows what the daemon has said.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: reads.
     */
    "server.logs": {
        params: {
            /**
             * At most so many lines.
             * An integer from 0 to 1000.
             * @default 50
             */
            limit?: number;
            /**
             * Where an earlier answer began or ended.
             * Text of at most 40 bytes.
             */
            cursor?: string;
            /** Only of one start of the machine: 0 is this one, -1 the one before, or its id. */
            boot?: unknown;
            /**
             * What came before the cursor, not what came behind it.
             * @default false
             */
            before?: boolean;
        };
        result: {
            entries: {
                timestamp: string;
                message: string;
                bootId: string;
            }[];
            startCursor: string | null;
            endCursor: string | null;
        };
    };
    /**
     * The same, and then by a feed what it says from now on.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: reads.
     */
    "server.logs.follow": {
        params: {
            /**
             * At most so many lines.
             * An integer from 0 to 1000.
             * @default 50
             */
            limit?: number;
            /**
             * Where an earlier answer began or ended.
             * Text of at most 40 bytes.
             */
            cursor?: string;
            /** Only of one start of the machine: 0 is this one, -1 the one before, or its id. */
            boot?: unknown;
        };
        result: {
            startCursor: string | null;
            /** Text of exactly 32 bytes. */
            guid: string;
        };
    };
    /**
     * How the machine is: processor, memory, disk, temperature.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: reads.
     */
    "server.metrics": {
        params: Record<string, never>;
        result: {
            general: {
                temperature: {
                    value: string;
                    unit: string;
                } | null;
            };
            memory: {
                percentageUsed: {
                    value: string;
                    unit: string;
                };
                total: {
                    value: string;
                    unit: string;
                };
                available: {
                    value: string;
                    unit: string;
                };
                used: {
                    value: string;
                    unit: string;
                };
                zramTotal: {
                    value: string;
                    unit: string;
                };
                zramAvailable: {
                    value: string;
                    unit: string;
                };
                zramUsed: {
                    value: string;
                    unit: string;
                };
            };
            cpu: {
                percentageUsed: {
                    value: string;
                    unit: string;
                };
                idle: {
                    value: string;
                    unit: string;
                };
                userSpace: {
                    value: string;
                    unit: string;
                };
                kernelSpace: {
                    value: string;
                    unit: string;
                };
                wait: {
                    value: string;
                    unit: string;
                };
            };
            disk: {
                percentageUsed: {
                    value: string;
                    unit: string;
                };
                used: {
                    value: string;
                    unit: string;
                };
                available: {
                    value: string;
                    unit: string;
                };
                capacity: {
                    value: string;
                    unit: string;
                };
            };
        };
    };
    /**
     * The same, and then again every few seconds by a feed.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: reads.
     */
    "server.metrics.follow": {
        params: Record<string, never>;
        result: {
            /** Text of exactly 32 bytes. */
            guid: string;
            metrics: {
                general: {
                    temperature: {
                        value: string;
                        unit: string;
                    } | null;
                };
                memory: {
                    percentageUsed: {
                        value: string;
                        unit: string;
                    };
                    total: {
                        value: string;
                        unit: string;
                    };
                    available: {
                        value: string;
                        unit: string;
                    };
                    used: {
                        value: string;
                        unit: string;
                    };
                    zramTotal: {
                        value: string;
                        unit: string;
                    };
                    zramAvailable: {
                        value: string;
                        unit: string;
                    };
                    zramUsed: {
                        value: string;
                        unit: string;
                    };
                };
                cpu: {
                    percentageUsed: {
                        value: string;
                        unit: string;
                    };
                    idle: {
                        value: string;
                        unit: string;
                    };
                    userSpace: {
                        value: string;
                        unit: string;
                    };
                    kernelSpace: {
                        value: string;
                        unit: string;
                    };
                    wait: {
                        value: string;
                        unit: string;
                    };
                };
                disk: {
                    percentageUsed: {
                        value: string;
                        unit: string;
                    };
                    used: {
                        value: string;
                        unit: string;
                    };
                    available: {
                        value: string;
                        unit: string;
                    };
                    capacity: {
                        value: string;
                        unit: string;
                    };
                };
            } | null;
        };
    };
    /**
     * Starts the machine anew; the daemon where it does not own the machine.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: cannot be undone.
     */
    "server.restart": {
        params: {
            /**
             * As StartOS has it; the answer always comes first.
             * @default false
             */
            wait?: boolean;
        };
        result: null;
    };
    /**
     * Says whom the box asks for its address on the internet.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: changes.
     */
    "server.set-echoip-urls": {
        params: {
            /**
             * Who is asked for our address.
             * An array of at most 32 elements.
             */
            urls: string[];
        };
        result: null;
    };
    /**
     * Gives the box another name.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: changes.
     */
    "server.set-hostname": {
        params: {
            /**
             * What people call the box.
             * Text of at most 500 bytes.
             */
            name?: string;
            /**
             * Its name on the network.
             * Text of at most 500 bytes.
             */
            hostname?: string;
        };
        result: null;
    };
    /**
     * Says which keyboard is at the console.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: changes.
     */
    "server.set-keyboard": {
        params: {
            /**
             * The layout, like us.
             * Text of at most 500 bytes.
             */
            layout: string;
            /**
             * The map of the console.
             * Text of at most 500 bytes or null.
             * @default null
             */
            keymap?: string | null;
            /**
             * The model of the keyboard.
             * Text of at most 500 bytes or null.
             * @default null
             */
            model?: string | null;
            /**
             * The variant of the layout.
             * Text of at most 500 bytes or null.
             * @default null
             */
            variant?: string | null;
            /**
             * Further options.
             * An array of at most 32 elements.
             * @default []
             */
            options?: string[];
        };
        result: null;
    };
    /**
     * Sets the language of the box.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: changes.
     */
    "server.set-language": {
        params: {
            /** The language of the box. */
            language: "en_US" | "de_DE" | "es_ES" | "fr_FR" | "pl_PL";
        };
        result: null;
    };
    /**
     * Sets the server that mails of the box go to.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: changes.
     */
    "server.set-smtp": {
        params: {
            /**
             * The mail server.
             * Text of at most 500 bytes.
             */
            host: string;
            /**
             * Its port.
             * An integer from 1 to 65535.
             */
            port: number;
            /**
             * Whom mails are from.
             * Text of at most 500 bytes.
             */
            from: string;
            /**
             * Who logs in there.
             * Text of at most 500 bytes.
             */
            username: string;
            /**
             * The password for it.
             * Text of at most 500 bytes or null.
             */
            password?: string | null;
            /**
             * TLS from the first byte, or begun in the plain.
             * @default "starttls"
             */
            security?: "starttls" | "tls";
        };
        result: null;
    };
    /**
     * Turns the machine off; ends the daemon where it does not own the machine.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: cannot be undone.
     */
    "server.shutdown": {
        params: {
            /**
             * As StartOS has it; the answer always comes first.
             * @default false
             */
            wait?: boolean;
        };
        result: null;
    };
    /**
     * Sends a mail to try a mail server with.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: reads.
     */
    "server.test-smtp": {
        params: {
            /**
             * The mail server.
             * Text of at most 500 bytes.
             */
            host: string;
            /**
             * Its port.
             * An integer from 1 to 65535.
             */
            port: number;
            /**
             * Whom the mail is from.
             * Text of at most 500 bytes.
             */
            from: string;
            /**
             * Who gets it.
             * Text of at most 500 bytes.
             */
            to: string;
            /**
             * Who logs in there.
             * Text of at most 500 bytes.
             * @default ""
             */
            username?: string;
            /**
             * The password for it.
             * Text of at most 500 bytes or null.
             */
            password?: string | null;
            /**
             * TLS from the first byte, or begun in the plain.
             * @default "starttls"
             */
            security?: "starttls" | "tls";
        };
        result: null;
    };
    /**
     * What time it is, and for how long the machine is up.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: reads.
     */
    "server.time": {
        params: Record<string, never>;
        result: {
            now: string;
            /** An integer of at least 0. */
            uptime: number;
        };
    };
    /**
     * What the setup led to, once it is done.
     *
     * Who: anybody. Phases: setup. Effect: reads.
     */
    "setup.complete": {
        params: Record<string, never>;
        result: {
            hostname: string;
            rootCa: string;
            needsRestart: boolean;
        };
    };
    /**
     * Lists the disks of the machine; none needs to be chosen.
     *
     * Who: anybody. Phases: setup. Effect: reads.
     */
    "setup.disk.list": {
        params: Record<string, never>;
        result: {
            logicalname: string;
            partitionTable: "mbr" | "gpt" | null;
            vendor: string | null;
            model: string | null;
            partitions: {
                logicalname: string;
                label: string | null;
                /** An integer of at least 0. */
                capacity: number;
                /** An integer of at least 0 or null. */
                used: number | null;
                startOs: { [key: string]: unknown };
                legacyBackup: { [key: string]: unknown } | null;
                guid: string | null;
                filesystem: string | null;
            }[];
            /** An integer of at least 0. */
            capacity: number;
            guid: string | null;
            filesystem: string | null;
        }[];
    };
    /**
     * Makes the box somebody's: password and names.
     *
     * Who: anybody. Phases: setup. Effect: starts a flow.
     */
    "setup.execute": {
        params: {
            /**
             * Which disk; there is one.
             * @default null
             */
            guid?: string | null;
            /** The password of the box from now on. */
            password: unknown;
            /** A backup to begin with. */
            recoverySource?: unknown;
            /**
             * A screen is attached; ignored.
             * @default false
             */
            kiosk?: boolean;
            /** What the box is called. */
            name?: string;
            /** Its name on the network. */
            hostname?: string;
            /** Its language, like en_US. */
            language?: string;
            /**
             * The code that the console shows; the box's own root needs none.
             * Text of at most 64 bytes.
             */
            claim?: string;
        };
        result: {
            progress: unknown;
            /** Text of exactly 32 bytes. */
            guid: string;
        };
    };
    /**
     * Ends the setup: the box is up.
     *
     * Who: anybody. Phases: setup. Effect: cannot be undone.
     */
    "setup.exit": {
        params: Record<string, never>;
        result: null;
    };
    /**
     * The key that the password may be sealed to.
     *
     * Who: anybody. Phases: setup. Effect: reads.
     */
    "setup.get-pubkey": {
        params: Record<string, never>;
        result: {
            kty: string;
            crv: string;
            x: string;
            y: string;
        };
    };
    /**
     * Shows what the daemon has said.
     *
     * Who: the box's own root, a login session, a signed key. Phases: setup. Effect: reads.
     */
    "setup.logs": {
        params: {
            /**
             * At most so many lines.
             * An integer from 0 to 1000.
             * @default 50
             */
            limit?: number;
            /**
             * Where an earlier answer began or ended.
             * Text of at most 40 bytes.
             */
            cursor?: string;
            /** Only of one start of the machine: 0 is this one, -1 the one before, or its id. */
            boot?: unknown;
            /**
             * What came before the cursor, not what came behind it.
             * @default false
             */
            before?: boolean;
        };
        result: {
            entries: {
                timestamp: string;
                message: string;
                bootId: string;
            }[];
            startCursor: string | null;
            endCursor: string | null;
        };
    };
    /**
     * The same, and then by a feed what it says from now on.
     *
     * Who: the box's own root, a login session, a signed key. Phases: setup. Effect: reads.
     */
    "setup.logs.follow": {
        params: {
            /**
             * At most so many lines.
             * An integer from 0 to 1000.
             * @default 50
             */
            limit?: number;
            /**
             * Where an earlier answer began or ended.
             * Text of at most 40 bytes.
             */
            cursor?: string;
            /** Only of one start of the machine: 0 is this one, -1 the one before, or its id. */
            boot?: unknown;
        };
        result: {
            startCursor: string | null;
            /** Text of exactly 32 bytes. */
            guid: string;
        };
    };
    /**
     * How far the setup is.
     *
     * Who: anybody. Phases: setup. Effect: reads.
     */
    "setup.status": {
        params: Record<string, never>;
        result: {
            status: "incomplete";
            guid: string | null;
            attach: boolean;
            mokEnrolled: boolean;
            osDrive: string | null;
            claim: boolean;
        } | {
            status: "complete";
            hostname: string;
            rootCa: string;
            needsRestart: boolean;
        };
    };
    /**
     * Lets a key log in to the machine by ssh.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: changes.
     */
    "ssh.add": {
        params: {
            /**
             * One line of an OpenSSH public key.
             * Text of at most 16384 bytes.
             */
            key: string;
        };
        result: {
            alg: string;
            fingerprint: string;
            hostname: string;
            createdAt: string;
        };
    };
    /**
     * Lists the keys that may log in by ssh.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: reads.
     */
    "ssh.list": {
        params: Record<string, never>;
        result: {
            alg: string;
            fingerprint: string;
            hostname: string;
            createdAt: string;
        }[];
    };
    /**
     * Ends what a key may do.
     *
     * Who: the box's own root, a login session, a signed key. Phases: run. Effect: changes.
     */
    "ssh.remove": {
        params: {
            /** Which key. */
            fingerprint: string;
        };
        result: null;
    };
}

export type MethodName = keyof Methods;
export type Params<M extends MethodName> = Methods[M]["params"];
export type Result<M extends MethodName> = Methods[M]["result"];
