from post_purge.cli import main

if __name__ == "__main__":
    main()
