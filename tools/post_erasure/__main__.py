from post_erasure.cli import main

if __name__ == "__main__":
    main()
